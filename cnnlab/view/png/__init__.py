"""Pictures as PNG, by matplotlib's Agg without pyplot: no window, no state that outlives a call."""

import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.characters import printable
from cnnlab.core.files import write_whole
from cnnlab.view.blocks import Picture, Report, pictures
from cnnlab.view.drawings import Bars, Curves, Gallery, Lattice, Matrix, Panels, Reliability, Scatter, Spans
from cnnlab.view.png.grids import gallery, lattice, matrix
from cnnlab.view.png.plots import bars, curves, panels, reliability, scatter
from cnnlab.view.png.scenes import lone_scene, scenes
from cnnlab.view.png.spans import spans
from cnnlab.view.png.theme import DARK, DPI, LIGHT, Theme, styled
from cnnlab.view.scenes import Scene, Scenes

__all__ = ["DARK", "DPI", "LIGHT", "Drawn", "Theme", "draw", "drawn", "encode", "pixels", "save", "size"]


LAID_OUT: dict[type, Callable[..., None]] = {Gallery: gallery, Scene: lone_scene, Scenes: scenes}
"""How drawings that are laid out to the pixel are put on a figure, their title included: (figure, drawing, theme)."""

PLOTTED: dict[type, Callable[..., None]] = {
    Curves: curves,
    Panels: panels,
    Bars: bars,
    Reliability: reliability,
    Matrix: matrix,
    Spans: spans,
    Lattice: lattice,
    Scatter: scatter,
}
"""Likewise all others, for which matplotlib finds the room."""


def draw(picture: Picture, *, theme: Theme = LIGHT) -> Figure:
    """The picture as a matplotlib figure with an Agg canvas."""
    title, kind = printable(picture.title), type(picture.drawing)
    with styled(theme):
        if kind in LAID_OUT:
            figure = Figure()
            FigureCanvasAgg(figure)
            LAID_OUT[kind](figure, picture.drawing, theme, title=title)
        else:
            figure = Figure(layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08, hspace=0.04))
            FigureCanvasAgg(figure)
            PLOTTED[kind](figure, picture.drawing, theme)
            figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold")
        return figure


@dataclass(frozen=True)
class Drawn:
    """A picture as the bytes of two PNGs."""

    light: bytes
    dark: bytes


def drawn(picture: Picture) -> Drawn:
    """The picture on both papers, laid out once: to find its words room takes as long as to paint them."""
    light, dark = draw(picture, theme=LIGHT), draw(picture, theme=DARK)
    _lay_out(light, LIGHT)
    dark.set_layout_engine("none")
    for axes, placed in zip(dark.axes, light.axes, strict=True):
        axes.set_position(placed.get_position(original=True), which="original")
        axes.set_anchor(placed.get_anchor())
        axes.set_box_aspect(placed.get_box_aspect())
        axes.set(xlim=placed.get_xlim(), ylim=placed.get_ylim())
    for words, placed_words in zip(dark.texts, light.texts, strict=True):
        words.set_position(placed_words.get_position())
    return Drawn(_png(light, LIGHT), _png(dark, DARK))


def encode(picture: Picture, *, theme: Theme = LIGHT) -> bytes:
    """The picture as the bytes of a PNG, the same for the same picture."""
    figure = draw(picture, theme=theme)
    _lay_out(figure, theme)
    return _png(figure, theme)


def pixels(picture: Picture, *, theme: Theme = LIGHT) -> NDArray[np.uint8]:
    """The picture as uint8 [h, w, 3]."""
    figure = draw(picture, theme=theme)
    _lay_out(figure, theme)
    return _painted(figure, theme)


def size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the head of a PNG."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _lay_out(figure: Figure, theme: Theme) -> None:
    """Find everything its place, for good; `savefig` would paint the figure once more to find it."""
    engine = figure.get_layout_engine()
    if engine is None:
        return
    with styled(theme), warnings.catch_warnings():
        _draw_missing_glyphs_as_boxes()
        engine.execute(figure)
    figure.set_layout_engine("none")


def _painted(figure: Figure, theme: Theme) -> NDArray[np.uint8]:
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    with styled(theme), warnings.catch_warnings():
        _draw_missing_glyphs_as_boxes()
        canvas.draw()
    # the paper is opaque, so that a fourth channel would say nothing
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _png(figure: Figure, theme: Theme) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(_painted(figure, theme)))
    image.save(buffer, "PNG", compress_level=6, dpi=(figure.dpi, figure.dpi))
    return buffer.getvalue()


def _draw_missing_glyphs_as_boxes() -> None:
    """A class name in a script without an installed font is drawn as boxes; the report has it as text."""
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")


def save(report: Report, folder: Path) -> list[Path]:
    """Every picture of the report as `folder/NAME.png`, each file written whole."""
    made = []
    for picture in pictures(report):
        path = folder / f"{picture.name}.png"
        write_whole(path, encode(picture))
        made.append(path)
    return made
