"""Reports as one HTML page that needs nothing else: style and figures are inside, nothing is fetched, nothing runs.

The page is a template, `page.html.j2`, with a macro for each kind of block in `blocks.html.j2`, and its style,
`page.css`. What a template cannot say, such as an image as the address of itself, is said here.
Which image of an album is shown is chosen by `:has()` and `:target` in the page's own style; on paper the first one is.
"""

import base64
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.characters import printable
from cnnlab.view import png
from cnnlab.view.blocks import Block, Figure, Report, Section, figures, shown, tables
from cnnlab.view.description import description
from cnnlab.view.interactive import Album, CellAlbum, Shot, Turntable
from cnnlab.view.png.heat import in_colour, overlay
from cnnlab.view.scenes import Scene

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
    return template("page.html.j2").render(
        report=report,
        contents=outline if len(outline) >= _FEWEST else [],
        drawing=lambda figure: embedded(figure, drawn.get(figure.name) or png.drawn(figure)),
        style=Markup(files("cnnlab.view").joinpath("page.css").read_text(encoding="utf-8")),
    )


def anchor(key: str) -> str:
    """The id of the place that links to a section lead to; `key`: the section's own, or its place, such as 2-1."""
    return f"part-{key}"


@dataclass(frozen=True)
class Embedded:
    """A figure as a page holds it: the addresses of both drawings, its size in CSS pixels, and its words."""

    light: Markup
    dark: Markup
    width: int
    height: int
    words: str


def embedded(figure: Figure, drawn: png.Drawn) -> Embedded:
    """A figure that is drawn already, for a page to hold."""
    width, height = (round(pixels * 96 / png.DPI) for pixels in png.size(drawn.light))
    return Embedded(_inside(drawn.light), _inside(drawn.dark), width, height, description(figure))


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


def template(name: str, package: str = "cnnlab.view") -> Template:
    """The template of that name in a package's folder."""
    return _templates(package).get_template(name)


@cache
def _templates(package: str) -> Environment:
    made = Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "anchor": anchor,
        "many": _MANY,
        "places": places,
        "rules": rules,
        "share": share,
        "shown": shown,
        "words": words,
    }
    made.filters |= {
        "address": lambda path: quote(os.fsencode(path)),
        "enlarged": enlarged,
        "holds": _holds,
        "kind": lambda block: type(block).__name__.lower(),
        "overlaid": overlaid,
        "strip": strip,
    }
    return made


_COLOURS = 128
"""Colours of an image in an album: enough that no step is seen in its heat."""

_TILE = 96
"""Pixels that the longer side of an image behind a cell comes near to."""


def places(album: Album, shot: Shot) -> str:
    """The names by which rules find a shot: of its option in each choice, of all options where it stands for all."""
    return " ".join(
        f"o{number}-{place}"
        for number, (chosen, choice) in enumerate(zip(shot.options, album.choices, strict=True))
        for place in (range(len(choice.options)) if chosen is None else [chosen])
    )


def words(album: Album, shot: Shot) -> str:
    """What is chosen where a shot is seen: `method: Grad-CAM, layer: 3`."""
    return ", ".join(
        f"{choice.title}: {choice.options[place]}"
        for choice, place in zip(album.choices, shot.options, strict=True)
        if place is not None
    )


def rules(album: Album) -> Markup:
    """Style: a shot is hidden while another option than its own is chosen."""
    return Markup("").join(
        Markup("#{0}:has(#{0}-{1}-{2}:checked) .shot:not(.o{1}-{2}){{display:none}}").format(album.name, number, place)
        for number, choice in enumerate(album.choices)
        for place in range(len(choice.options))
    )


def share(album: CellAlbum, count: int) -> str:
    """How deep the colour of a cell is: the root of its share of the largest count, as a percentage."""
    return f"{100 * (count / max(1, int(album.counts.max()))) ** 0.5:.0f}%"


def overlaid(scene: Scene) -> Markup:
    """A scene's image under its map, as the address of itself, in few colours: a third as large as with all."""
    return _inside(_compressed(Image.fromarray(overlay(scene)).quantize(_COLOURS, dither=Image.Dither.NONE)))


def strip(table: Turntable) -> Embedded:
    """The views of a turntable side by side in one image, on both papers; the size is that of one of them."""
    views = [Figure(f"{table.name}-{place}", "", relief) for place, relief in enumerate(table.reliefs)]
    papers = []
    for theme in (png.LIGHT, png.DARK):
        side_by_side = np.concatenate([_halved(png.pixels(view, theme=theme)) for view in views], axis=1)
        papers.append(_inside(_compressed(Image.fromarray(side_by_side).quantize(_COLOURS, dither=Image.Dither.NONE))))
    height, width = side_by_side.shape[0], side_by_side.shape[1] // len(views)
    first = Figure(table.name, table.title, table.relief)
    return Embedded(papers[0], papers[1], width, height, description(first))


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).reduce(2))


def enlarged(image: NDArray[np.uint8]) -> Markup:
    """An image behind a cell, [h, w, 1 or 3], its pixels as squares, as the address of itself."""
    times = max(1, round(_TILE / max(image.shape[:2])))
    return _inside(_compressed(Image.fromarray(in_colour(image).repeat(times, axis=0).repeat(times, axis=1))))


def _compressed(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
