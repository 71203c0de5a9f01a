"""Reports in TensorBoard: figures under Images, tables and texts under Text."""

from collections.abc import Mapping
from typing import Protocol

from cnnlab.core.characters import markdown_escaped, printable
from cnnlab.view import png
from cnnlab.view.blocks import (
    Block,
    Figure,
    Links,
    Number,
    Numbers,
    Report,
    Section,
    SummaryLine,
    Table,
    Text,
    inside,
    shown,
)
from cnnlab.view.interactive import Album, CellAlbum, Turntable


class Writer(Protocol):
    """What is used of `cnnlab.runs.events.EventLog`."""

    def png(self, tag: str, content: bytes, step: int | None) -> None:
        """A figure."""

    def text(self, tag: str, markdown: str, step: int | None) -> None:
        """A text in Markdown."""

    def scalars(self, values: Mapping[str, float | None], step: int | None) -> None:
        """Numbers by their names."""


def write(
    report: Report, writer: Writer, step: int | None, *, prefix: str, drawn: Mapping[str, png.Drawn] | None = None
) -> None:
    """Every figure as `prefix/NAME`, the words and tables as one text `prefix`, headline numbers as scalars.

    prefix: what the report is, such as "evaluation"; step: the epoch; drawn: figures that are drawn already, by name.
    """
    drawn = drawn or {}
    for block in inside(report):
        if isinstance(block, Figure):
            content = drawn[block.name].light if block.name in drawn else png.encode(block)
            writer.png(f"{prefix}/{block.name}", content, step)
        elif isinstance(block, Numbers):
            values = {f"{prefix}/{printable(number.name)}": number.value for number in block.numbers}
            writer.scalars({tag: float(v) for tag, v in values.items() if isinstance(v, int | float)}, step)
    writer.text(prefix, markdown(report), step)


def markdown(report: Report) -> str:
    """The report's words and tables in Markdown; of figures their captions."""
    parts = [f"# {markdown_escaped(report.title)}"] + ([markdown_escaped(report.lead)] if report.lead else [])
    if report.summary:
        parts.append("\n".join(map(_line, report.summary)))
    parts.extend(_markdown(block, 2) for block in report.blocks)
    return "\n\n".join(parts)


def _markdown(block: Block, level: int) -> str:
    match block:
        case Text():
            label = f"**{markdown_escaped(block.label)}**: " if block.label else ""
            return label + markdown_escaped(block.text)
        case Numbers():
            return "\n".join(f"- {_number(number)}" for number in block.numbers)
        case Table():
            return _table(block)
        case Links():
            return "\n".join(f"- {markdown_escaped(link.label)}: {markdown_escaped(link.path)}" for link in block.links)
        case Figure() | Album() | CellAlbum() | Turntable():
            return f"*{markdown_escaped(block.title)}.* {markdown_escaped(block.caption)}"
        case Section():
            inner = (_markdown(one, level + 1) for one in block.blocks)
            return "\n\n".join([f"{'#' * level} {markdown_escaped(block.title)}", *inner])


def _line(line: SummaryLine) -> str:
    figure = f"**{markdown_escaped(line.figure)}** " if line.figure else ""
    command = f" {markdown_escaped(line.command)}" if line.command else ""
    return f"- {markdown_escaped(line.question)} {figure}{markdown_escaped(line.text)}{command}"


def _number(number: Number) -> str:
    detail = f", {markdown_escaped(number.detail)}" if number.detail else ""
    return f"{markdown_escaped(number.name)}: **{markdown_escaped(number.text)}**{detail}"


def _table(table: Table) -> str:
    rows = [
        [column.heading for column in table.columns],
        *([shown(cell, column.form) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows),
    ]
    lines = ["| " + " | ".join(map(markdown_escaped, cells)) + " |" for cells in rows]
    lines.insert(1, "| " + " | ".join("---:" if column.align == "right" else "---" for column in table.columns) + " |")
    note = ["", markdown_escaped(table.note)] if table.note else []
    return "\n".join([f"**{markdown_escaped(table.title)}**", "", *lines, *note])
