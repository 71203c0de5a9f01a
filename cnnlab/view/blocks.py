"""What a report is made of. Plain data in real units: nothing here knows how it will be drawn.

A report is a title, a summary and blocks; a block is a text, a few headline numbers, a table, a figure or a section of
blocks. A line of the summary leads to a section by its key.
What a figure shows is one of the drawings of `cnnlab.view.drawings`.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cnnlab.core.characters import per_cent
from cnnlab.stats.confidence import MeanInterval
from cnnlab.view.drawings import Drawing
from cnnlab.view.interactive import Album, CellAlbum, Turntable

Tone = Literal["plain", "good", "caution", "bad", "note"]
"""How a text is meant; each renderer has its own way to say it, never by colour alone."""

Cell = str | int | float | None
"""None and NaN are shown as –: not measured, or nothing to divide by."""

NOTHING = "–"


@dataclass(frozen=True)
class Text:
    """A paragraph. `label` is a word in front of it, such as the verdict of a diagnosis."""

    text: str
    tone: Tone = "plain"
    label: str = ""


@dataclass(frozen=True)
class Number:
    """One headline number, `form` a format specification (".1%" shows a share in per cent)."""

    name: str
    value: Cell
    form: str = ""
    unit: str = ""
    detail: str = ""
    """What stands beside it in small: an interval, a comparison."""

    @property
    def text(self) -> str:
        """The value as every renderer writes it, with its unit."""
        return " ".join(filter(None, (shown(self.value, self.form), self.unit)))


@dataclass(frozen=True)
class Numbers:
    """A few numbers that are read first."""

    numbers: tuple[Number, ...]


@dataclass(frozen=True)
class Column:
    """A table's column; `form` is a format specification for its numbers."""

    title: str
    unit: str = ""
    align: Literal["left", "right"] = "left"
    form: str = ""

    @property
    def heading(self) -> str:
        """The title with its unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Table:
    """Rows of cells.

    Raises: ValueError where a row has another length than the columns.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    name: str = ""
    """The stem of a file with these rows; without one, none is written."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.title!r}: a row of {len(row)} cells under {len(self.columns)} columns")
        if self.name:
            _check_stem(self.name)


@dataclass(frozen=True)
class Figure:
    """A drawing with its words; `name` is the stem of its file.

    Raises: ValueError for a name that is no plain file stem.
    """

    name: str
    title: str
    drawing: Drawing
    caption: str = ""

    def __post_init__(self) -> None:
        _check_stem(self.name)


@dataclass(frozen=True)
class Section:
    """Blocks under a heading.

    Raises: ValueError for a key that is no plain file stem.
    """

    title: str
    blocks: "tuple[Block, ...]"
    key: str = ""
    """A word by which a line of the summary finds it; the same in every report, whatever the title says."""

    def __post_init__(self) -> None:
        if self.key:
            _check_stem(self.key)


@dataclass(frozen=True)
class Link:
    """A file that belongs to a report: what it holds, and where it lies, relative to the page."""

    label: str
    path: str
    detail: str = ""


@dataclass(frozen=True)
class Links:
    """Files with the data behind a report."""

    links: tuple[Link, ...]


Block = Text | Numbers | Table | Figure | Album | CellAlbum | Turntable | Links | Section


@dataclass(frozen=True)
class SummaryLine:
    """The answer to a question that a reader has in the first minute: a sentence that begins with its number.

    Without a section that it leads to, it says why there is none, and `command` how to get one.

    Raises: ValueError for a line that leads to a section without giving its number.
    """

    question: str
    """The question, such as "How good is it?"."""
    text: str
    """The sentence; where there is a `figure`, what follows it."""
    figure: str = ""
    """The number that the sentence begins with, such as `84.5 %`, or a word in its place."""
    section: str = ""
    """The key of a section of the same report."""
    command: str = ""
    tone: Tone = "plain"

    def __post_init__(self) -> None:
        if self.section and not self.figure:
            raise ValueError(f"the line {self.question!r} of a summary leads to a section, but has no figure")


@dataclass(frozen=True)
class Report:
    """A whole report; `lead` says in a sentence what it is about, `summary` what came out.

    Raises: ValueError where two figures or two tables would be written to the same file, where two sections have the
        same key, and where a line of the summary leads to none of them.
    """

    title: str
    blocks: tuple[Block, ...]
    lead: str = ""
    summary: tuple[SummaryLine, ...] = ()

    def __post_init__(self) -> None:
        keys = [section.key for section in sections(self) if section.key]
        for names in ([p.name for p in figures(self)], [t.name for t in tables(self) if t.name], keys):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"report {self.title!r}: more than one block is called {', '.join(twice)}")
        astray = [line.question for line in self.summary if line.section and line.section not in keys]
        if astray:
            raise ValueError(f"report {self.title!r}: no section for {', '.join(astray)}")


def inside(part: Report | Section) -> Iterator[Block]:
    """Every block in order, sections before what is in them."""
    for block in part.blocks:
        yield block
        if isinstance(block, Section):
            yield from inside(block)


def sections(part: Report | Section) -> tuple[Section, ...]:
    """Every section, in order, those of sections included."""
    return tuple(block for block in inside(part) if isinstance(block, Section))


def figures(part: Report | Section) -> tuple[Figure, ...]:
    """Every figure, in order, those of sections included."""
    return tuple(block for block in inside(part) if isinstance(block, Figure))


def tables(part: Report | Section) -> tuple[Table, ...]:
    """Every table, in order, those of sections included."""
    return tuple(block for block in inside(part) if isinstance(block, Table))


def shown(value: Cell, form: str = "") -> str:
    """A cell as every renderer writes it: `–` for nothing, `84.5 %` for ".1%", a true minus sign; see `per_cent`."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "−∞"
    # Between a number and its sign stands a space (ISO 31-0), one that does not break the line.
    text = per_cent(value, form)[:-1] + "\N{NO-BREAK SPACE}%" if form.endswith("%") else format(value, form)
    return "−" + text[1:] if text.startswith("-") else text


def _check_stem(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9]+(?:[_-][a-z0-9]+)*", name):
        raise ValueError(f"the name {name!r} of a file: expected lower-case letters, digits, - and _")


def mean_of(mean: MeanInterval | None) -> float | None:
    """The mean alone."""
    return None if mean is None else mean.mean


def ends_of(mean: MeanInterval | None) -> tuple[float, float]:
    """Low and high end of the interval; the mean twice where there is none, NaN where there is no mean either."""
    if mean is None:
        return float("nan"), float("nan")
    return (mean.mean, mean.mean) if mean.interval is None else (mean.interval.low, mean.interval.high)


def interval_text(mean: MeanInterval | None, form: str) -> str:
    """`+0.412 [+0.380, +0.445]` for "+.3f"; the mean alone where there is no interval, `–` where there is no mean."""
    if mean is None or mean.interval is None:
        return shown(mean_of(mean), form)
    low, high = shown(mean.interval.low, form), shown(mean.interval.high, form)
    return f"{shown(mean.mean, form)} [{low}, {high}]"
