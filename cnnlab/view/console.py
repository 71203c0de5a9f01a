"""Reports in the terminal, by rich. Names are shown as they are: nothing in them is taken for markup."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text as RichText

from cnnlab.core.characters import printable, shortened
from cnnlab.view.blocks import Block, Figure, Links, Number, Numbers, Report, Section, Table, Text, shown
from cnnlab.view.drawings import Lattice, Matrix, Spans
from cnnlab.view.interactive import Album, CellAlbum, Turntable
from cnnlab.view.sketches import MOST_CELLS, lattice_lines, span_lines

MOST_ROWS = 40
"""Rows of a table in the terminal; of a longer one the first and the last are shown."""

_SHORT = 30
"""Characters."""

_WORD = 8
"""Characters to which a column of words may be folded."""

_NUMBER = re.compile(r"[\W_]*\d[\d\W_xe]*[%\w]?")
"""A word that is one number or several: `3×3`, `(1,024`, `1e-05`."""

_MANY = 8
"""Columns of a table from which on they stand closer."""

_MOST_CELLS = 12
"""Rows and columns of a matrix that are shown as numbers."""

_STYLES = {"plain": "bold", "good": "bold green", "caution": "bold yellow", "bad": "bold red", "note": "dim"}


def show(report: Report, console: Console, *, folder: Path | None = None) -> None:
    """Print the report; where `folder` holds its figures, their files are named."""
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
        case Figure():
            _show_figure(block, console, folder)
        case Links():
            for link in block.links:
                console.print(RichText(printable(f"{link.label}: {link.path}")), soft_wrap=True)
        case Album():
            choices = ", ".join(f"{len(choice.options)} × {choice.title}" for choice in block.choices)
            console.print(RichText(printable(f"{block.title}: {len(block.shots)} images ({choices}) on the page.")))
        case CellAlbum():
            count = sum(map(len, block.images.values()))
            console.print(RichText(printable(f"{block.title}: {count} images behind its cells on the page.")))
        case Turntable():
            console.print(RichText(printable(f"{block.title}: a surface that turns, on the page.")))


def _numbers(numbers: tuple[Number, ...]) -> RichTable:
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for number in numbers:
        grid.add_row(
            RichText(printable(number.name)),
            RichText(printable(number.text), style="bold"),
            RichText(printable(number.detail), style="dim"),
        )
    return grid


def _show_table(table: Table, console: Console) -> None:
    """The table; where it is wider than the terminal its words are folded, and its columns stand below each other."""
    longest = [_longest(table, place) for place in range(len(table.columns))]
    # many columns stand closer, before their words are folded
    gap = 3 if len(table.columns) <= _MANY else 2
    width = console.width + gap  # as if there was a gap behind the last column
    least = [_least(table, place, longest[place], width) for place in range(len(table.columns))]
    # the name of a row leaves room for the widest of what is beside it
    least[0] = max(1, min(least[0], width - 2 * gap - max(least[1:], default=0)))
    console.print(_heading(table.title))
    parts = _parts(least, gap, width)
    for part in parts:
        room = width - gap * len(part)
        widths = _widths([longest[place] for place in part], [least[place] for place in part], room)
        console.print(_drawn(table, part, widths, gap))
        if part is not parts[-1]:
            console.print()
    left_out = len(table.rows) - MOST_ROWS
    notes = [f"{left_out} more rows." if left_out > 0 else "", printable(table.note)]
    if any(notes):
        console.print(RichText(" ".join(filter(None, notes)), style="dim"))


def _drawn(table: Table, part: Sequence[int], widths: Sequence[int], gap: int) -> RichTable:
    """Some of a table's columns, each of a certain width."""
    drawn = _rich_table(padding=(0, 1) if gap == 3 else (0, 1, 0, 0))
    columns = [table.columns[place] for place in part]
    for column, width in zip(columns, widths, strict=True):
        drawn.add_column(RichText(printable(column.heading)), justify=column.align, overflow="fold", width=width)
    half = MOST_ROWS // 2
    cut = len(table.rows) > MOST_ROWS
    for number, row in enumerate((*table.rows[:half], *table.rows[-half:]) if cut else table.rows):
        if cut and number == half:
            drawn.add_row(*("⋮" for _ in columns))
        cells = [shown(row[place], column.form) for place, column in zip(part, columns, strict=True)]
        drawn.add_row(*(RichText(printable(cell)) for cell in cells))
    return drawn


def _longest(table: Table, place: int) -> int:
    """Cells of the terminal that a column needs lest anything in it is folded; its heading may be, between words."""
    column = table.columns[place]
    heads = printable(column.heading).split() if column.align == "right" else [printable(column.heading)]
    return max(map(cell_len, [*_cells(table, place), *heads]), default=0)


def _least(table: Table, place: int, longest: int, width: int) -> int:
    """Cells of the terminal to which a column may be narrowed.

    A number that is broken is misread, be it a shape among words. A name that is cut is no name: that of a row is
    folded only where it is long, other words to a few letters.
    """
    if table.columns[place].align == "right":
        return longest
    words = [word for text in _cells(table, place) for word in text.split(" ")]
    numbers = max((cell_len(word) for word in words if _NUMBER.fullmatch(word)), default=0)
    return min(longest, max(numbers, min(_SHORT, width // 2) if place == 0 else _WORD))


def _cells(table: Table, place: int) -> list[str]:
    return [printable(shown(row[place], table.columns[place].form)) for row in table.rows]


def _parts(least: Sequence[int], gap: int, width: int) -> list[list[int]]:
    """The columns that fit beside each other; the first one, which names the rows, stands in each part."""
    parts = [[0]]
    for place in range(1, len(least)):
        fits = sum(least[one] + gap for one in parts[-1]) + least[place] + gap <= width
        if fits or len(parts[-1]) == 1:
            parts[-1].append(place)
        else:
            parts.append([0, place])
    return parts


def _widths(longest: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths between the least and the longest; what there is beyond the least goes to the narrowest first."""
    widths = list(least)
    for _ in range(room - sum(widths)):
        lacking = [place for place, width in enumerate(widths) if width < longest[place]]
        if not lacking:
            break
        # first the name of the row, which is read first
        widths[0 if 0 in lacking else min(lacking, key=lambda place: widths[place])] += 1
    return widths


def _rich_table(**options: Any) -> RichTable:
    return RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, **options)


def _heading(text: str) -> RichText:
    # Not as the table's own title, which rich would break at the table's width.
    return RichText(printable(text), style="italic")


def _show_figure(figure: Figure, console: Console, folder: Path | None) -> None:
    match figure.drawing:
        case Matrix() if max(figure.drawing.values.shape) <= _MOST_CELLS:
            _show_matrix(figure, figure.drawing, console)
        case Lattice() if max(figure.drawing.values.shape) <= MOST_CELLS:
            _show_lines(figure.title, lattice_lines(figure.drawing), console)
        case Spans():
            title = f"{figure.title}, over {figure.drawing.x_label}"
            _show_lines(title, span_lines(figure.drawing, console.width), console)
    if folder is not None:
        line = RichText(f"{printable(figure.title)}: ")
        # One line, however long, so that it can be clicked and copied.
        console.print(line + RichText(str(folder / f"{figure.name}.png"), style="cyan"), soft_wrap=True)


def _show_lines(title: str, lines: list[str], console: Console) -> None:
    console.print()
    console.print(_heading(title))
    for line in lines:
        # Blanks are part of a sketch, and a line that is broken is none.
        console.print(RichText(line), no_wrap=True, overflow="crop")


def _show_matrix(figure: Figure, matrix: Matrix, console: Console) -> None:
    cells = [["·" if value == 0 else format(value, matrix.form) for value in row] for row in matrix.values.tolist()]
    # As many letters of each name as the width leaves; a matrix without room for its numbers is in its file only.
    width = max(3, (console.width - 13) // len(matrix.column_labels) - 1)
    if width < max((len(cell) for row in cells for cell in row), default=0) or width * len(cells[0]) > console.width:
        return
    drawn = _rich_table(padding=(0, 1, 0, 0))
    drawn.add_column("")
    for label in matrix.column_labels:
        drawn.add_column(RichText(shortened(printable(label), min(width, 10))), justify="right", no_wrap=True)
    for label, row in zip(matrix.row_labels, cells, strict=True):
        drawn.add_row(RichText(shortened(printable(label), 12)), *map(RichText, row))
    console.print()
    console.print(_heading(f"{figure.title} (rows {matrix.row_title}, columns {matrix.column_title})"))
    console.print(drawn)
