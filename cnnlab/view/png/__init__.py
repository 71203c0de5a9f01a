"""Figures as PNG, by matplotlib's Agg without pyplot: no window, no state that outlives a call."""

import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Sheet
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.characters import printable
from cnnlab.core.files import write_whole
from cnnlab.view.blocks import Figure, Report, figures
from cnnlab.view.drawings import (
    Bars,
    Curves,
    Gallery,
    Lattice,
    Matrix,
    Panels,
    Parallel,
    Reliability,
    Relief,
    Scatter,
    Spans,
    Surfaces,
)
from cnnlab.view.png.grids import gallery, lattice, matrix
from cnnlab.view.png.plots import bars, curves, panels, parallel, reliability, scatter, spans
from cnnlab.view.png.scenes import lone_scene, scenes
from cnnlab.view.png.surfaces import relief, surfaces
from cnnlab.view.png.theme import DARK, DPI, LIGHT, Theme, styled
from cnnlab.view.scenes import Scene, Scenes

__all__ = ["DARK", "DPI", "LIGHT", "Drawn", "Theme", "draw", "drawn", "encode", "pixels", "save", "size"]


LAID_OUT: dict[type, Callable[..., None]] = {Gallery: gallery, Scene: lone_scene, Scenes: scenes, Relief: relief}
"""How drawings that are laid out to the pixel are put on a figure, their title included: (figure, drawing, theme)."""

PLOTTED: dict[type, Callable[..., None]] = {
    Curves: curves,
    Panels: panels,
    Parallel: parallel,
    Bars: bars,
    Reliability: reliability,
    Matrix: matrix,
    Spans: spans,
    Lattice: lattice,
    Scatter: scatter,
    Surfaces: surfaces,
}
"""Likewise all others, for which matplotlib finds the room."""


def draw(figure: Figure, *, theme: Theme = LIGHT) -> Sheet:
    """The figure on a sheet: matplotlib's own, with an Agg canvas."""
    title, kind = printable(figure.title), type(figure.drawing)
    with styled(theme):
        if kind in LAID_OUT:
            sheet = Sheet()
            FigureCanvasAgg(sheet)
            LAID_OUT[kind](sheet, figure.drawing, theme, title=title)
        else:
            sheet = Sheet(layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08, hspace=0.04))
            FigureCanvasAgg(sheet)
            PLOTTED[kind](sheet, figure.drawing, theme)
            sheet.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold")
        return sheet


@dataclass(frozen=True)
class Drawn:
    """A figure as the bytes of two PNGs."""

    light: bytes
    dark: bytes


def drawn(figure: Figure) -> Drawn:
    """The figure on both papers, laid out once: to find its words room takes as long as to paint them."""
    light, dark = _laid_out(figure, LIGHT), draw(figure, theme=DARK)
    dark.set_layout_engine("none")
    for axes, placed in zip(dark.axes, light.axes, strict=True):
        axes.set_position(placed.get_position(original=True), which="original")
        axes.set_anchor(placed.get_anchor())
        axes.set_box_aspect(placed.get_box_aspect())
        axes.set(xlim=placed.get_xlim(), ylim=placed.get_ylim())
    for words, placed_words in zip(dark.texts, light.texts, strict=True):
        words.set_position(placed_words.get_position())
    return Drawn(_png(light, LIGHT), _png(dark, DARK))


def encode(figure: Figure, *, theme: Theme = LIGHT) -> bytes:
    """The figure as the bytes of a PNG, the same for the same figure."""
    return _png(_laid_out(figure, theme), theme)


def pixels(figure: Figure, *, theme: Theme = LIGHT) -> NDArray[np.uint8]:
    """The figure as uint8 [h, w, 3]."""
    return _painted(_laid_out(figure, theme), theme)


def size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the head of a PNG."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _laid_out(figure: Figure, theme: Theme) -> Sheet:
    """Draw with everything in its place, for good; `savefig` would paint the figure once more to find it."""
    sheet = draw(figure, theme=theme)
    engine = sheet.get_layout_engine()
    if engine is not None:
        with styled(theme), warnings.catch_warnings():
            _draw_missing_glyphs_as_boxes()
            engine.execute(sheet)
        sheet.set_layout_engine("none")
    return sheet


def _painted(sheet: Sheet, theme: Theme) -> NDArray[np.uint8]:
    canvas = sheet.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    with styled(theme), warnings.catch_warnings():
        _draw_missing_glyphs_as_boxes()
        canvas.draw()
    # the paper is opaque, so that a fourth channel would say nothing
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _png(sheet: Sheet, theme: Theme) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(_painted(sheet, theme)))
    image.save(buffer, "PNG", compress_level=6, dpi=(sheet.dpi, sheet.dpi))
    return buffer.getvalue()


def _draw_missing_glyphs_as_boxes() -> None:
    """A class name in a script without an installed font is drawn as boxes; the report has it as text."""
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")


def save(report: Report, folder: Path) -> list[Path]:
    """Every figure of the report as `folder/NAME.png`, each file written whole."""
    paths = [folder / f"{figure.name}.png" for figure in figures(report)]
    for figure, path in zip(figures(report), paths, strict=True):
        write_whole(path, encode(figure))
    return paths
