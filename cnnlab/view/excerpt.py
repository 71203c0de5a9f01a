"""A report in small, for a notebook or a prompt: what is read first, and one or two figures."""

import io
from collections.abc import Iterator
from itertools import islice

from markupsafe import Markup
from PIL import Image

from cnnlab.view import html, png
from cnnlab.view.blocks import Number, Numbers, Report, SummaryLine, Table, Text, figures, inside, shown, tables

FIGURES = 2
ROWS = 8
"""Rows of a table that stands in for numbers."""

SENTENCES = 3

COLOURS = 256
"""Of a figure, so that a notebook stays small; chosen so that the rarest are there, too, such as a map's peak."""


def text(report: Report) -> str:
    """The report in a few lines: its title, what it is about, its first numbers and verdicts.

    Example:
        >>> print(text(Report("Filters", (Numbers((Number("count", 16), Number("R²", 0.5, ".2f"))),), "Of conv1.")))
        Filters
        Of conv1.
        count: 16
        R²: 0.50
    """
    lines = [report.title, *([report.lead] if report.lead else [])]
    lines += [f"{one.question} {one.figure} {one.text}" for one in _answers(report)]
    lines += [f"{one.name}: {one.text}" + (f"  {one.detail}" if one.detail else "") for one in _numbers(report)]
    lines += [f"{one.label}: {one.text}" if one.label else one.text for one in _sentences(report)]
    for heads, rows, left_out in _tables(report):
        lines += ["  ".join(heads), *("  ".join(row) for row in rows)]
        lines += [f"and {left_out} rows more"] if left_out else []
    return "\n".join(lines)


def page(report: Report, *, most: int = FIGURES) -> str:
    """The report as a piece of HTML that needs nothing else, with its first `most` figures inside."""
    shown_first = figures(report)[:most]
    drawn = [html.embedded(figure, png.Drawn(*[_few_colours(png.encode(figure))] * 2)) for figure in shown_first]
    left = len(figures(report)) - len(drawn)
    more = f".show() has all of it: {left} more figure{'s' * (left != 1)}" if left else ""
    return html.template("excerpt.html.j2").render(
        title=report.title,
        lead=report.lead,
        answers=_answers(report),
        numbers=_numbers(report),
        texts=_sentences(report),
        tables=list(_tables(report)),
        figures=drawn,
        more=Markup.escape(more),
    )


def _answers(report: Report) -> list[SummaryLine]:
    """Lines of the summary that answer their question."""
    return [line for line in report.summary if line.section]


def _numbers(report: Report) -> tuple[Number, ...]:
    return next((block.numbers for block in inside(report) if isinstance(block, Numbers)), ())


def _sentences(report: Report) -> list[Text]:
    """Verdicts and cautions, the first of them."""
    said = (block for block in inside(report) if isinstance(block, Text) and block.tone not in ("plain", "note"))
    return list(islice(said, SENTENCES))


def _tables(report: Report) -> Iterator[tuple[list[str], list[list[str]], int]]:
    """(headings, rows, how many more) of the first table, where there are no numbers to read first."""
    if _numbers(report):
        return
    for table in tables(report)[:1]:
        rows = [_cells(table, number) for number in range(min(ROWS, len(table.rows)))]
        yield [column.heading for column in table.columns], rows, len(table.rows) - len(rows)


def _cells(table: Table, row: int) -> list[str]:
    return [shown(cell, column.form) for cell, column in zip(table.rows[row], table.columns, strict=True)]


def _few_colours(drawn: bytes) -> bytes:
    buffer = io.BytesIO()
    image = Image.open(io.BytesIO(drawn)).convert("RGB")
    few = image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(buffer, "PNG", optimize=True, dpi=(png.DPI, png.DPI))
    return buffer.getvalue()
