"""Tables and matrices as CSV (RFC 4180), with the values as they are: shares 0 … 1, an empty field for nothing."""

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path

from cnnlab.core.files import write_whole
from cnnlab.reports.blocks import Cell, Report, Table, pictures, tables
from cnnlab.reports.drawings import Matrix


def table_text(table: Table) -> str:
    """A line of headings, then a line per row."""
    return _written([[column.heading for column in table.columns], *table.rows])


def matrix_text(matrix: Matrix) -> str:
    """Row labels in front of the rows, column labels above; the corner says which is which."""
    corner = f"{matrix.row_title} \\ {matrix.column_title}"
    rows = ([label, *row] for label, row in zip(matrix.row_labels, matrix.values.tolist(), strict=True))
    return _written([[corner, *matrix.column_labels], *rows])


def save(report: Report, folder: Path) -> list[Path]:
    """Every named table and every matrix of the report as `folder/NAME.csv`, each file written whole."""
    made = {f"{picture.name}.csv": matrix_text(picture.drawing) for picture in pictures(report)
            if isinstance(picture.drawing, Matrix)}  # fmt: skip
    made |= {f"{table.name}.csv": table_text(table) for table in tables(report) if table.name}
    for name, content in made.items():
        write_whole(folder / name, content.encode())
    return [folder / name for name in made]


def _written(rows: Iterable[Iterable[Cell]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in rows:
        writer.writerow("" if cell is None or (isinstance(cell, float) and math.isnan(cell)) else cell for cell in row)
    return buffer.getvalue()
