"""Reports as one HTML page that needs nothing else: style and pictures are inside, nothing is fetched, nothing runs."""

import base64
import html
import os
from collections.abc import Mapping
from importlib.resources import files
from urllib.parse import quote

from cnnlab.core.characters import printable
from cnnlab.render import interactive, png
from cnnlab.render.description import description
from cnnlab.reports.blocks import Block, Column, Links, Numbers, Picture, Report, Section, Table, Text, shown
from cnnlab.reports.interactive import Album, CellAlbum

# Even if a name slipped through the escaping, the browser would fetch and run nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(report: Report, drawn: Mapping[str, png.Drawn] | None = None) -> str:
    """The whole page; dark where the reader's system is, light on paper.

    drawn: pictures that are drawn already, by name.
    """
    drawn = drawn or {}
    body: list[str] = []
    contents: list[str] = []
    for number, block in enumerate(report.blocks, 1):
        if isinstance(block, Section):
            contents.append(f'<li><a href="#part-{number}">{_escaped(block.title)}</a></li>')
        body.append(_block(block, f"part-{number}", 2, drawn))
    lead = f'<p class="lead">{_escaped(report.lead)}</p>' if report.lead else ""
    # A list of two entries would be read no faster than the page itself.
    listed = f'<nav aria-label="Contents"><ol>{"".join(contents)}</ol></nav>' if len(contents) > 2 else ""
    style = files("cnnlab.render").joinpath("page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_escaped(report.title)}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><h1>{_escaped(report.title)}</h1>{lead}{listed}</header>
<main id="content">
{"".join(body)}</main>
<footer>Written by cnnlab.</footer>
</body>
</html>
"""


def _block(block: Block, name: str, level: int, drawn: Mapping[str, png.Drawn]) -> str:
    match block:
        case Section():
            heading = min(level, 6)
            inner = "".join(
                _block(one, f"{name}-{number}", level + 1, drawn) for number, one in enumerate(block.blocks, 1)
            )
            title = f'<h{heading} id="{name}-title">{_escaped(block.title)}</h{heading}>'
            return f'<section id="{name}" aria-labelledby="{name}-title">{title}\n{inner}</section>\n'
        case Text():
            label = f'<strong class="label">{_escaped(block.label)}:</strong> ' if block.label else ""
            return f'<p class="text {block.tone}">{label}{_escaped(block.text)}</p>\n'
        case Numbers():
            return _numbers(block)
        case Table():
            return _table(block, name)
        case Picture():
            return _picture(block, drawn.get(block.name) or png.drawn(block))
        case Links():
            items = "".join(
                f'<li><a href="{_escaped(quote(os.fsencode(link.path)))}">{_escaped(link.label)}</a>'
                f"{' – ' if link.detail else ''}{_escaped(link.detail)}</li>"
                for link in block.links
            )
            return f'<ul class="links">{items}</ul>\n'
        case Album():
            return interactive.album(block)
        case CellAlbum():
            return interactive.cells(block)


def _numbers(block: Numbers) -> str:
    made = []
    for number in block.numbers:
        unit = f' <span class="unit">{_escaped(number.unit)}</span>' if number.unit else ""
        detail = f'<dd class="detail">{_escaped(number.detail)}</dd>' if number.detail else ""
        value = f'<dd class="value">{_escaped(shown(number.value, number.form))}{unit}</dd>'
        made.append(f"<div><dt>{_escaped(number.name)}</dt>{value}{detail}</div>")
    return f'<dl class="numbers">{"".join(made)}</dl>\n'


def _table(table: Table, name: str) -> str:
    heads = "".join(f'<th scope="col"{_side(c)}>{_escaped(c.heading)}</th>' for c in table.columns)
    rows = []
    for row in table.rows:
        cells = [
            f'<th scope="row"{_side(column)}>{_escaped(shown(cell, column.form))}</th>'
            if place == 0
            else f"<td{_side(column)}>{_escaped(shown(cell, column.form))}</td>"
            for place, (cell, column) in enumerate(zip(row, table.columns, strict=True))
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>\n")
    note = f'<p class="note">{_escaped(table.note)}</p>' if table.note else ""
    # A wide or long table scrolls by itself; with a tab stop it does so from the keyboard too.
    return (
        f'<div class="table"><div class="scroll" role="region" aria-labelledby="{name}-caption" tabindex="0">'
        f'<table><caption id="{name}-caption">{_escaped(table.title)}</caption>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{''.join(rows)}</tbody></table></div>{note}</div>\n"
    )


def _side(column: Column) -> str:
    return ' class="right"' if column.align == "right" else ""


def _picture(picture: Picture, drawn: png.Drawn) -> str:
    width, height = (round(pixels * 96 / png.DPI) for pixels in png.size(drawn.light))
    caption = f"<figcaption>{_escaped(picture.caption)}</figcaption>" if picture.caption else ""
    return (
        f'<figure id="{picture.name}"><picture>'
        f'<source media="screen and (prefers-color-scheme: dark)" srcset="{_inside(drawn.dark)}">'
        f'<img src="{_inside(drawn.light)}" width="{width}" height="{height}" alt="{_escaped(description(picture))}">'
        f"</picture>{caption}</figure>\n"
    )


def _inside(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def _escaped(text: str) -> str:
    return html.escape(printable(text), quote=True)
