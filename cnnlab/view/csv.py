"""Tables and matrices as CSV (RFC 4180), with the values as they are: shares 0 … 1, an empty field for nothing."""

import csv
import io
import math
import re
from collections.abc import Iterable
from pathlib import Path

from cnnlab.core.characters import printable
from cnnlab.core.files import write_whole
from cnnlab.view.blocks import Cell, Report, Table, figures, tables
from cnnlab.view.drawings import Matrix

_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that a spreadsheet would calculate (OWASP, "CSV Injection")."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def table_text(table: Table) -> str:
    """A line of headings, then a line per row."""
    return text([[column.heading for column in table.columns], *table.rows])


def matrix_text(matrix: Matrix) -> str:
    """Row labels in front of the rows, column labels above; the corner says which is which."""
    corner = f"{matrix.row_title} \\ {matrix.column_title}"
    rows = ([label, *row] for label, row in zip(matrix.row_labels, matrix.values.tolist(), strict=True))
    return text([[corner, *matrix.column_labels], *rows])


def text(rows: Iterable[Iterable[Cell]]) -> str:
    """Rows as CSV; of words none is a formula to a spreadsheet, and none moves a cursor."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([_field(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def save(report: Report, folder: Path) -> list[Path]:
    """Every named table and every matrix of the report as `folder/NAME.csv`, each file written whole."""
    made = {f"{figure.name}.csv": matrix_text(figure.drawing) for figure in figures(report)
            if isinstance(figure.drawing, Matrix)}  # fmt: skip
    made |= {f"{table.name}.csv": table_text(table) for table in tables(report) if table.name}
    for name, content in made.items():
        write_whole(folder / name, content)
    return [folder / name for name in made]


def _field(cell: Cell) -> Cell:
    if isinstance(cell, str):
        formula = _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
        return "'" * bool(formula) + printable(cell, keep="\n")
    return "" if cell is None or (isinstance(cell, float) and math.isnan(cell)) else cell
