"""YAML with places: every scalar is text, and every value knows its file, line and column.

PyYAML's guesses (`1e-3` a string, `no` False, `017` fifteen, a repeated key silently winning) never happen here,
because the tree is built from the parser's events; pydantic turns text into the wanted type where it is used. Anchors,
aliases and merge keys work; tags do not. Depth and size are bounded, so no file can exhaust the machine.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cnnlab.core.errors import ConfigError, Problem, RequestError
from cnnlab.core.reading import open_file, refusals_told

MAX_DEPTH = 48
MAX_VALUES = 50_000
MAX_BYTES = 4_000_000
LONGEST_NUMBER = 100
"""Characters; a longer row of digits is text."""
NULLS = {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True)
class Mark:
    """A place: `source:line:column`, counted from 1; or the source alone (a command-line override) with line 0."""

    source: str
    line: int = 0
    column: int = 0
    within: str = field(default="", compare=False)
    """` (in block 'stem', used on line 9)`, of what stands in a block: said after what is wrong there."""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


class Text(str):
    """A scalar as it was written."""

    mark: Mark
    quoted: bool
    """Whether it stands in quotes or as a block, and so is text whatever it looks like."""

    def __new__(cls, text: str, mark: Mark, *, quoted: bool = False) -> "Text":
        """`text`, written at `mark`."""
        self = super().__new__(cls, text)
        self.mark = mark
        self.quoted = quoted
        return self


class Items(list[Any]):
    """A YAML sequence."""

    def __init__(self, items: Sequence[Any], mark: Mark) -> None:
        super().__init__(items)
        self.mark = mark


class Table(dict[str, Any]):
    """A YAML mapping; `marks` has the place of each key."""

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.marks: dict[str, Mark] = {}

    def put(self, key: str, value: Any, mark: Mark) -> None:
        """Set `key` and the place where it is written."""
        self[key] = value
        self.marks[key] = mark


Value = Text | Items | Table | None


def mark_at(value: object, path: Sequence[str | int]) -> Mark | None:
    """The place of what `path` leads to, or of the nearest thing above it that has one."""
    mark: Mark | None = getattr(value, "mark", None)
    for step in path:
        if isinstance(value, Table) and isinstance(step, str) and step in value:
            mark, value = value.marks[step], value[step]
        elif isinstance(value, Items) and isinstance(step, int) and step < len(value):
            value = value[step]
            mark = getattr(value, "mark", None) or mark
        else:
            break
    return mark


def load(path: Path) -> Table:
    """Read a YAML file whose top level is a mapping.

    Raises: RequestError when the file cannot be read; ConfigError when it is not YAML, with every place.
    """
    with refusals_told(path, expected="a YAML file"), open_file(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise RequestError(f"{path}: has more than {MAX_BYTES:,} bytes; is it a YAML file?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: is not UTF-8 text (byte {error.start}); is it a YAML file?") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Table:
    """The mapping that `text` holds; `source` names it in places."""
    reader, value = _read(text, source)
    problems = list(reader.problems)
    if not problems and not isinstance(value, Table):
        found = "empty" if value is None else "a list" if isinstance(value, Items) else "a single word"
        problems = [Problem(source, f"is {found}, expected a mapping such as 'name: first'")]
    if problems:
        raise ConfigError(problems)
    assert isinstance(value, Table)
    return value


def parse_value(text: str, mark: Mark) -> Value:
    """Any YAML value, such as the right side of an override; everything in it stands at `mark`."""
    reader, value = _read(text, mark.source, at=mark)
    if reader.problems:
        raise ConfigError(reader.problems)
    return value


def as_python(value: Value) -> Any:
    """`value` in Python's own types, plain scalars typed as YAML 1.2 types them: for what nothing else gives a type."""
    if isinstance(value, Table):
        return {key: as_python(inner) for key, inner in value.items()}
    if isinstance(value, Items):
        return [as_python(item) for item in value]
    if isinstance(value, Text):
        return str(value) if value.quoted else typed(str(value))
    return value


def typed(word: str) -> Any:
    """What a plain scalar means in YAML 1.2's core schema: a number, true or false, or the text itself.

    Example:
        >>> typed("20"), typed("1e-3"), typed("true"), typed("no")
        (20, 0.001, True, 'no')
    """
    if word.lower() in ("true", "false") and word in (word.lower(), word.upper(), word.capitalize()):
        return word.lower() == "true"
    if len(word) > LONGEST_NUMBER:
        return word
    if re.fullmatch(r"[-+]?[0-9]+", word):
        return int(word)
    if re.fullmatch(r"0o[0-7]+|0x[0-9a-fA-F]+", word):
        return int(word, 0)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", word):
        return float(word)
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", word):
        return float(word.replace(".", ""))
    return word


def _read(text: str, source: str, at: Mark | None = None) -> tuple["_Reader", Value]:
    reader = _Reader(source, at)
    try:
        return reader, reader.read(text)
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(error, source, text)]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Mark(source, before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise ConfigError([Problem(str(place), f"the character #x{error.character:04x} is not allowed")]) from None
    except (ValueError, OverflowError):
        # PyYAML hands the eight digits of "\\U00110000" to chr() unchecked
        place = Mark(source, reader.line, 1)
        raise ConfigError([Problem(str(place), "not YAML: an escape such as '\\U…' beyond U+10FFFF")]) from None


def _syntax_problem(error: yaml.MarkedYAMLError, source: str, text: str) -> Problem:
    at = error.problem_mark or error.context_mark
    if error.context_mark and error.problem and "stream" in error.problem:
        at = error.context_mark  # an open quote or bracket is found out at the end only; it is wrong where it starts
    place = Mark(source, at.line + 1, at.column + 1) if at else Mark(source)
    lines = text.splitlines()
    line = lines[at.line] if at and at.line < len(lines) else ""
    if at and (line[at.column : at.column + 1] == "\t" or "\t" in line[: len(line) - len(line.lstrip())]):
        return Problem(str(place), "a tab; YAML is indented with spaces")
    context = f" ({error.context})" if error.context else ""
    return Problem(str(place), f"not YAML: {error.problem}{context}")


class _Reader:
    """Builds the tree from events, without recursion into the text's own depth beyond MAX_DEPTH."""

    def __init__(self, source: str, at: Mark | None = None) -> None:
        self.source = source
        self.at = at
        self.problems: list[Problem] = []
        self.line = 1
        """The line of the latest event."""
        self.anchors: dict[str, Value] = {}
        self.open_anchors: set[str] = set()
        self.count = 0

    def read(self, text: str) -> Value:
        self.events = yaml.parse(text, Loader=yaml.SafeLoader)
        value: Value = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, "a second document ('---'); a config is one document")
                value = self._value(next(self.events), 1)
        return value

    def _mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        if self.at or not start:
            return self.at or Mark(self.source)
        self.line = start.line + 1
        return Mark(self.source, start.line + 1, start.column + 1)

    def _refuse(self, event: yaml.Event, message: str) -> None:
        """A mistake after which reading on makes no sense."""
        raise ConfigError([*self.problems, Problem(str(self._mark(event)), message)])

    def _value(self, event: yaml.Event, depth: int) -> Value:
        self.count += 1
        if depth > MAX_DEPTH:
            self._refuse(event, f"nested more than {MAX_DEPTH} levels deep")
        if self.count > MAX_VALUES:
            self._refuse(event, f"more than {MAX_VALUES:,} values")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        assert isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent)
        self._check_tag(event)
        if event.anchor:
            self.open_anchors.add(event.anchor)
        value: Value
        if isinstance(event, yaml.ScalarEvent):
            plain_null = event.implicit[0] and event.value in NULLS
            value = None if plain_null else self._text(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._items(event, depth)
        else:
            value = self._table(event, depth)
        if event.anchor:
            self.open_anchors.discard(event.anchor)
            self.anchors[event.anchor] = value
        return value

    def _check_tag(self, event: yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        if event.tag not in (None, "!"):
            message = f"the tag '{event.tag}' is not allowed; write the value alone"
            self.problems.append(Problem(str(self._mark(event)), message))

    def _text(self, event: yaml.ScalarEvent) -> Text:
        mark = self._mark(event)
        odd = next((c for c in event.value if c == "\0" or "\ud800" <= c <= "\udfff"), None)
        if odd is not None:
            # only escapes can write them; neither a file name nor UTF-8 can hold them
            self.problems.append(Problem(str(mark), f"the character #x{ord(odd):04x} is not allowed"))
        return Text(event.value, mark, quoted=not event.implicit[0])

    def _alias(self, event: yaml.AliasEvent, depth: int) -> Value:
        name = str(event.anchor)
        if name in self.open_anchors:
            self._refuse(event, f"the alias '*{name}' stands inside its own anchor '&{name}'")
        if name not in self.anchors:
            self._refuse(event, f"the alias '*{name}' has no anchor '&{name}' before it")
        value = self.anchors[name]
        size, height = extent(value)
        self.count += size
        if self.count > MAX_VALUES:
            self._refuse(event, f"more than {MAX_VALUES:,} values")
        if depth + height - 1 > MAX_DEPTH:
            self._refuse(event, f"nested more than {MAX_DEPTH} levels deep")
        return _copy(value)

    def _items(self, event: yaml.SequenceStartEvent, depth: int) -> Items:
        items = Items([], self._mark(event))
        for inner in self.events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            items.append(self._value(inner, depth + 1))
        return items

    def _table(self, event: yaml.MappingStartEvent, depth: int) -> Table:
        table = Table(self._mark(event))
        merged: list[Table] = []
        for inner in self.events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            if not isinstance(inner, yaml.ScalarEvent):
                self._refuse(inner, "a key must be a single word")
            assert isinstance(inner, yaml.ScalarEvent)
            self._check_tag(inner)
            key = self._text(inner)
            mark = key.mark
            if inner.anchor:
                self.anchors[inner.anchor] = key
            value = self._value(next(self.events), depth + 1)
            if key == "<<" and inner.implicit[0]:
                parts = value if isinstance(value, Items) else [value]
                merged += [part for part in parts if isinstance(part, Table)]
                if not all(isinstance(part, Table) for part in parts):
                    self.problems.append(Problem(str(mark), "'<<' merges mappings; this is none"))
            elif key in table:
                first = table.marks[key]
                self.problems.append(Problem(str(mark), f"'{key}' is given twice; first on line {first.line}"))
            else:
                table.put(str(key), value, mark)
        for part in merged:
            for name, value in part.items():
                if name not in table:
                    table.put(name, value, part.marks[name])
        return table


def _copy(value: Value) -> Value:
    """A copy of its own for each alias, so that an edit of one leaves the others alone."""
    if isinstance(value, Table):
        table = Table(value.mark)
        for key, inner in value.items():
            table.put(key, _copy(inner), value.marks[key])
        return table
    if isinstance(value, Items):
        return Items([_copy(item) for item in value], value.mark)
    return value


def extent(value: Any) -> tuple[int, int]:
    """How many values `value` is made of, itself among them, and how many levels; plain mappings and lists, too."""
    if not isinstance(value, dict | list):
        return 1, 1
    inner = [extent(item) for item in (value.values() if isinstance(value, dict) else value)]
    return 1 + sum(size for size, _ in inner), 1 + max((height for _, height in inner), default=0)
