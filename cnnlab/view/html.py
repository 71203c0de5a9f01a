"""Reports as one HTML page that needs nothing else: style and figures are inside, nothing is fetched, nothing runs.

The page is a template, `page.html.j2`, with a macro for each kind of block in `blocks.html.j2`, and its style,
`page.css`. What a template cannot say, such as an image as the address of itself, is said here and in `interactive.py`.
"""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cnnlab.core.characters import printable
from cnnlab.view import interactive_html as interactive
from cnnlab.view import png
from cnnlab.view.blocks import Block, Figure, Report, Section, figures, shown, tables
from cnnlab.view.description import description

_FEWEST = 3
"""Sections from which on a page has contents: a list of two would be read no faster than the page itself."""

_MANY = 7
"""Columns of a table beyond which they stand closer."""

_Outline = list[tuple[Section, str, Any]]


def page(report: Report, drawn: Mapping[str, png.Drawn] | None = None) -> str:
    """The whole page; dark where the reader's system is, light on paper.

    Sections are folded below a summary; a report without one has them open. A link opens what it leads to.

    Arguments:
        report: what is written.
        drawn: figures that are drawn already, by name.

    Returns: HTML, beginning with its doctype.
    """
    drawn = drawn or {}
    outline = _outline(report.blocks)
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            report=report,
            contents=outline if len(outline) >= _FEWEST else [],
            drawing=lambda figure: _embedded(figure, drawn.get(figure.name) or png.drawn(figure)),
            style=Markup(files("cnnlab.view").joinpath("page.css").read_text(encoding="utf-8")),
        )
    )


def anchor(key: str) -> str:
    """The id of the place that links to a section lead to; `key`: the section's own, or its place, such as 2-1."""
    return f"part-{key}"


@dataclass(frozen=True)
class _Embedded:
    """A figure as a page holds it: the addresses of both drawings, its size in CSS pixels, and its words."""

    light: Markup
    dark: Markup
    width: int
    height: int
    words: str


def _embedded(figure: Figure, drawn: png.Drawn) -> _Embedded:
    width, height = (round(pixels * 96 / png.DPI) for pixels in png.size(drawn.light))
    return _Embedded(_inside(drawn.light), _inside(drawn.dark), width, height, description(figure))


def _inside(image: bytes) -> Markup:
    return Markup("data:image/png;base64," + base64.b64encode(image).decode())


def _outline(blocks: tuple[Block, ...], path: str = "") -> _Outline:
    """Each section with its place, and the same of those in it."""
    return [
        (block, f"{path}{number}", _outline(block.blocks, f"{path}{number}-"))
        for number, block in enumerate(blocks, 1)
        if isinstance(block, Section)
    ]


def _holds(section: Section) -> str:
    """What is seen once a section is opened: `2 figures, 1 table`."""
    counts = {"figure": len(figures(section)), "table": len(tables(section))}
    return ", ".join(f"{count} {what}{'s' * (count > 1)}" for what, count in counts.items() if count)


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("cnnlab.view", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "anchor": anchor,
        "many": _MANY,
        "places": interactive.places,
        "rules": interactive.rules,
        "share": interactive.share,
        "shown": shown,
        "words": interactive.words,
    }
    made.filters |= {
        "address": lambda path: quote(os.fsencode(path)),
        "enlarged": interactive.enlarged,
        "holds": _holds,
        "kind": lambda block: type(block).__name__.lower(),
        "overlaid": interactive.overlaid,
    }
    return made
