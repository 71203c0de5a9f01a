"""`blocks:` of a config: lists of layers with a name and arguments, used wherever a layer may stand.

    blocks:
      bottleneck:
        arguments: {width: , stride: 1}          # a width has to be given, a stride may be
        layers:
          - conv_bn_act: {channels: $width, kernel: 1}
          - conv_bn_act: {channels: $width * 4, stride: $stride}
    model:
      - bottleneck: {width: 64, stride: 2}

A use is read as the layer `block` with the block's name and its layers, arguments filled in: what is kept in a run, and
what every tool sees, are layers alone. An argument may be a number, a word, a layer or a list of layers; arithmetic is
that of `cnnlab.core.expressions`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from pydantic import BaseModel, Field, create_model

from cnnlab.core.errors import Problem, did_you_mean
from cnnlab.core.expressions import NAME, check_expression, evaluate, names_in
from cnnlab.core.problems import problem_at
from cnnlab.core.registry import Component, Entry, Section, tell
from cnnlab.core.yaml import MAX_VALUES, Items, Mark, Table, Text, Value, extent, mark_at, typed
from cnnlab.models.layers.composite import BLOCK_NAME, BlockName
from cnnlab.models.registry import LAYERS


class Block(Section):
    """A list of layers with a name and arguments; in it `$width` is an argument, `$width * 4` arithmetic with one."""

    arguments: dict[str, Any] | None = Field(
        default={}, description="each with its default; one without has to be given where the block is used"
    )
    layers: list[Any] = Field(min_length=1, description="as under `model`, other blocks among them")


Blocks = dict[BlockName, Block]


MAX_NESTED = 12
"""Blocks one in another."""


@dataclass
class _Reading:
    """What has been read of one config so far."""

    open: list[str] = field(default_factory=list)
    """The blocks that are being read, the outermost first."""
    values: int = 0
    """Values of the layers that blocks have come to."""


@dataclass(frozen=True)
class BlockEntry(Entry):
    """A block of a config among the layers that it can name."""

    arguments: Mapping[str, Value] = field(default_factory=dict)
    """Each with its default; None for one that has to be given."""
    body: Items | None = None
    """Its layers; None where something is wrong with them, which has been told."""
    reading: _Reading = field(default_factory=_Reading)

    @cached_property
    def options(self) -> type[BaseModel]:
        """The arguments."""
        fields: dict[str, Any] = {
            name: (Any, ... if value is None else value) for name, value in self.arguments.items()
        }
        return create_model(f"block_{self.name}", **fields)

    def read(self, options: Mapping[str, Any], mark: Mark | None, context: Any) -> Component:
        """The layer `block` that a use of this one means; what is wrong goes to `context`."""
        body, problems = self._body(options, mark)
        if problems:
            tell(problems, context)
        if problems or body is None:
            return Component(LAYERS["none"], {}, mark)
        inner = Table(mark or Mark("block"))
        inner.put("name", self.name, inner.mark)
        inner.put("layers", body, inner.mark)
        self.reading.open.append(self.name)
        try:
            return LAYERS["block"].read(inner, mark, context)
        finally:
            self.reading.open.pop()

    def _body(self, options: Mapping[str, Any], mark: Mark | None) -> tuple[Items | None, list[Problem]]:
        """The layers that a use comes to, and what is wrong; None for layers of which something is told already."""
        problems = self._misused(options, mark)
        if problems or self.body is None or self.reading.values > MAX_VALUES:
            return None, problems
        self.reading.values += extent(self.body)[0]
        if self.reading.values > MAX_VALUES:
            message = f"with block '{self.name}' the blocks of the model come to more than {MAX_VALUES:,} values"
            return None, [problem_at(mark, message)]
        return filled_in(self.body, {**self.arguments, **options}, self._within(mark))

    def _misused(self, options: Mapping[str, Any], mark: Mark | None) -> list[Problem]:
        """What is wrong with the arguments that a use gives, and a use inside of the block itself."""
        if self.name in self.reading.open:
            circle = " → ".join([*self.reading.open[self.reading.open.index(self.name) :], self.name])
            return [problem_at(mark, f"block '{self.name}' stands in itself: {circle}")]
        if len(self.reading.open) == MAX_NESTED:
            return [
                problem_at(mark, f"block '{self.name}' is the {MAX_NESTED + 1}th in another; {MAX_NESTED} can be read")
            ]
        known = list(self.arguments)
        listed = f"it has {', '.join(known)}" if known else "it has none"
        problems = [
            problem_at(
                mark_at(options, [name]) or mark,
                f"no argument '{name}' of block '{self.name}'; {listed}.{did_you_mean(name, known)}",
            )
            for name in options
            if name not in self.arguments
        ]
        lacking = [name for name, value in self.arguments.items() if value is None and name not in options]
        return problems + [problem_at(mark, f"block '{self.name}' needs '{name}'") for name in lacking]

    def _within(self, mark: Mark | None) -> str:
        """` (in block 'stem', used on line 9)`, and after it the blocks in which that use stands."""
        if mark is None:
            return f" (in block '{self.name}')"
        where = f"on line {mark.line}" if mark.line else f"by {mark}"
        outer = f", {mark.within[2:-1]}" if mark.within else ""
        return f" (in block '{self.name}', used {where}{outer})"


def filled_in(body: Items, arguments: Mapping[str, Value], within: str) -> tuple[Items, list[Problem]]:
    """The layers of a block with its arguments in their places.

    Arguments:
        body: the layers, which ask for no other arguments.
        arguments: a value each.
        within: where the block is used, which every place in it is told with.

    Returns:
        A copy, and what is wrong with its arithmetic.
    """
    problems: list[Problem] = []

    def moved(mark: Mark) -> Mark:
        return replace(mark, within=within)

    def filled(value: Value) -> Value:
        if isinstance(value, Table):
            table = Table(moved(value.mark))
            for key, inner in value.items():
                table.put(key, filled(inner), moved(value.marks[key]))
            return table
        if isinstance(value, Items):
            return Items([filled(item) for item in value], moved(value.mark))
        if not isinstance(value, Text) or not names_in(value):
            return value
        if whole := NAME.fullmatch(value):
            return arguments[whole[1]]
        mark = moved(value.mark)
        try:
            return Text(str(evaluate(value, _numbers(value, arguments))), mark)
        except ValueError as error:
            problems.append(problem_at(mark, str(error)))
            return value

    filled_body = filled(body)
    assert isinstance(filled_body, Items)
    return filled_body, problems


def _numbers(text: str, arguments: Mapping[str, Value]) -> dict[str, int | float]:
    """The arguments that an expression asks for.

    Raises: ValueError for one that is no number.
    """
    numbers: dict[str, int | float] = {}
    for name in names_in(text):
        value = arguments[name]
        number = typed(value) if isinstance(value, str) else None
        if isinstance(number, bool) or not isinstance(number, int | float):
            what = f"'{value}'" if isinstance(value, str) else "empty" if value is None else "no single value"
            raise ValueError(f"'{text}' calculates with '{name}', which is {what}, expected a number")
        numbers[name] = number
    return numbers


@contextmanager
def blocks_known(tree: Table, problems: list[Problem]) -> Iterator[None]:
    """Let layers name the blocks of a config while it is read.

    Arguments:
        tree: the config, not checked yet.
        problems: gets what is wrong with names, arguments and arithmetic; the form of a block is checked with the rest
            of the config.
    """
    blocks = tree.get("blocks")
    entries: dict[str, Entry] = {}
    reading = _Reading()
    if isinstance(blocks, Table):
        for name, written in blocks.items():
            if name in LAYERS:
                message = f"'{name}' is a layer already; give the block another name"
                problems.append(problem_at(blocks.marks[name], message))
            elif BLOCK_NAME.fullmatch(name):
                entries[name] = _entry(name, written, reading, problems)
    with LAYERS.with_entries(entries):
        yield


def _entry(name: str, written: Value, reading: _Reading, problems: list[Problem]) -> BlockEntry:
    arguments, layers = (written.get("arguments"), written.get("layers")) if isinstance(written, Table) else ({}, None)
    arguments = arguments if isinstance(arguments, Table) else {}
    found = [] if layers is None else list(_wrong_in(layers, name, arguments))
    for argument in arguments:
        if not NAME.fullmatch(f"${argument}"):
            message = f"'{argument}' cannot name an argument: expected letters, digits and '_', a letter first"
            found.append(problem_at(mark_at(arguments, [argument]), message))
    problems += found
    body = layers if isinstance(layers, Items) and not found else None
    supplied = LAYERS["block"].supplied
    return BlockEntry("layer", name, _not_called, supplied, LAYERS.facts, arguments, body, reading)


def _not_called() -> None:
    """What a block would be made by: its uses are read as the layer `block`, so nobody asks for it."""
    raise AssertionError("a block is read as its layers")


def _wrong_in(value: Value, block: str, arguments: Mapping[str, Value]) -> Iterator[Problem]:
    """What is wrong with the `$arguments` in a block, whatever they are given."""
    if isinstance(value, Table | Items):
        for inner in value.values() if isinstance(value, Table) else value:
            yield from _wrong_in(inner, block, arguments)
    elif isinstance(value, Text) and names_in(value):
        for name in names_in(value):
            if name not in arguments:
                listed = f"it has {', '.join(arguments)}" if arguments else "it has none"
                message = f"no argument '{name}' of block '{block}'; {listed}.{did_you_mean(name, arguments)}"
                yield problem_at(value.mark, message)
        try:
            check_expression(value)
        except ValueError as error:
            yield problem_at(value.mark, str(error))
