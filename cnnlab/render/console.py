"""Reports in the terminal, by rich. Names are shown as they are: nothing in them is taken for markup."""

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text as RichText

from cnnlab.core.characters import printable, shortened
from cnnlab.render.sketches import MOST_CELLS, lattice_lines, span_lines
from cnnlab.reports.blocks import Block, Links, Number, Numbers, Picture, Report, Section, Table, Text, shown
from cnnlab.reports.drawings import Lattice, Matrix, Spans
from cnnlab.reports.interactive import Album, CellAlbum

MOST_ROWS = 40
"""Rows of a table in the terminal; of a longer one the first and the last are shown."""

_SHORT = 30
"""Characters."""

_WORD = 8
"""Characters to which a column of words may be folded."""

_MANY = 8
"""Columns of a table from which on they stand closer."""

_MOST_CELLS = 12
"""Rows and columns of a matrix that are shown as numbers."""

_STYLES = {"plain": "bold", "good": "bold green", "caution": "bold yellow", "bad": "bold red", "note": "dim"}


def show(report: Report, console: Console, *, folder: Path | None = None) -> None:
    """Print the report; where `folder` holds its pictures, their files are named."""
    console.print(RichText(printable(report.title), style="bold underline"))
    if report.lead:
        console.print(RichText(printable(report.lead), style="dim"))
    for block in report.blocks:
        _show(block, console, folder)


def _show(block: Block, console: Console, folder: Path | None) -> None:
    match block:
        case Section():
            console.print()
            console.print(RichText(printable(block.title), style="bold cyan"))
            for inner in block.blocks:
                _show(inner, console, folder)
        case Text():
            label = RichText(printable(block.label) + ": ", style=_STYLES[block.tone]) if block.label else RichText()
            words = RichText(printable(block.text), style="dim" if block.tone == "note" else "")
            console.print(label + words)
        case Numbers():
            console.print(_numbers(block.numbers))
        case Table():
            console.print()
            _show_table(block, console)
        case Picture():
            _show_picture(block, console, folder)
        case Links():
            for link in block.links:
                console.print(RichText(printable(f"{link.label}: {link.path}")), soft_wrap=True)
        case Album():
            choices = ", ".join(f"{len(choice.options)} × {choice.title}" for choice in block.choices)
            console.print(RichText(printable(f"{block.title}: {len(block.shots)} pictures ({choices}) on the page.")))
        case CellAlbum():
            count = sum(map(len, block.images.values()))
            console.print(RichText(printable(f"{block.title}: {count} pictures behind its cells on the page.")))


def _numbers(numbers: tuple[Number, ...]) -> RichTable:
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column()
    for number in numbers:
        value = " ".join(part for part in (shown(number.value, number.form), number.unit) if part)
        grid.add_row(
            RichText(printable(number.name)),
            RichText(printable(value), style="bold"),
            RichText(printable(number.detail), style="dim"),
        )
    return grid


def _show_table(table: Table, console: Console) -> None:
    longest = [_longest(table, place) for place in range(len(table.columns))]
    # many columns stand closer, before their words are folded
    gap = 2 if len(table.columns) <= _MANY else 1
    drawn = _rich_table(padding=(0, 1) if gap == 2 else (0, 1, 0, 0))
    folded = [
        width if c.align == "right" else min(width, _WORD) for width, c in zip(longest, table.columns, strict=True)
    ]
    room = console.width - sum(folded[1:]) - gap * len(folded)
    for place, column in enumerate(table.columns):
        drawn.add_column(
            RichText(printable(column.heading)),
            justify=column.align,
            overflow="fold",
            # A name that is cut is no name: it is folded, and the first column, while there is room, not even that.
            no_wrap=place == 0 and longest[0] <= min(_SHORT, room),
            # A number that is broken is misread: its column is as wide as its numbers.
            min_width=longest[place] if column.align == "right" else None,
        )
    half = MOST_ROWS // 2
    left_out = len(table.rows) - MOST_ROWS
    rows = table.rows if left_out <= 0 else (*table.rows[:half], *table.rows[-half:])
    for place, row in enumerate(rows):
        if left_out > 0 and place == half:
            drawn.add_row(*("⋮" for _ in table.columns))
        cells = zip(row, table.columns, strict=True)
        drawn.add_row(*(RichText(printable(shown(cell, column.form))) for cell, column in cells))
    console.print(_heading(table.title))
    console.print(drawn)
    notes = [f"{left_out} more rows." if left_out > 0 else "", printable(table.note)]
    if any(notes):
        console.print(RichText(" ".join(filter(None, notes)), style="dim"))


def _longest(table: Table, place: int) -> int:
    """Characters of a column's longest cell, and for numbers of the longest word above them."""
    column = table.columns[place]
    cells = [len(printable(shown(row[place], column.form))) for row in table.rows]
    heads = [len(word) for word in printable(column.heading).split()] if column.align == "right" else []
    return max([*cells, *heads], default=0)


def _rich_table(**options: Any) -> RichTable:
    return RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, **options)


def _heading(text: str) -> RichText:
    # Not as the table's own title, which rich would break at the table's width.
    return RichText(printable(text), style="italic")


def _show_picture(picture: Picture, console: Console, folder: Path | None) -> None:
    match picture.drawing:
        case Matrix() if max(picture.drawing.values.shape) <= _MOST_CELLS:
            _show_matrix(picture, picture.drawing, console)
        case Lattice() if max(picture.drawing.values.shape) <= MOST_CELLS:
            _show_lines(picture.title, lattice_lines(picture.drawing), console)
        case Spans():
            title = f"{picture.title}, over {picture.drawing.x_label}"
            _show_lines(title, span_lines(picture.drawing, console.width), console)
    if folder is not None:
        line = RichText(f"{printable(picture.title)}: ")
        # One line, however long, so that it can be clicked and copied.
        console.print(line + RichText(str(folder / f"{picture.name}.png"), style="cyan"), soft_wrap=True)


def _show_lines(title: str, lines: list[str], console: Console) -> None:
    console.print()
    console.print(_heading(title))
    for line in lines:
        # Blanks are part of a sketch, and a line that is broken is none.
        console.print(RichText(line), no_wrap=True, overflow="crop")


def _show_matrix(picture: Picture, matrix: Matrix, console: Console) -> None:
    drawn = _rich_table(padding=(0, 1, 0, 0))
    drawn.add_column("")
    # As many letters of each name as the width leaves.
    width = max(3, (console.width - 13) // len(matrix.column_labels) - 1)
    for label in matrix.column_labels:
        drawn.add_column(RichText(shortened(printable(label), min(width, 10))), justify="right", no_wrap=True)
    for label, row in zip(matrix.row_labels, matrix.values.tolist(), strict=True):
        cells = [RichText("·" if value == 0 else format(value, matrix.form)) for value in row]
        drawn.add_row(RichText(shortened(printable(label), 12)), *cells)
    console.print()
    console.print(_heading(f"{picture.title} (rows {matrix.row_title}, columns {matrix.column_title})"))
    console.print(drawn)
