"""Pictures as PNG, by matplotlib's Agg without pyplot: no window, no state that outlives a call."""

import io
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.files import write_whole
from cnnlab.render.characters import printable
from cnnlab.render.png.grids import gallery, lattice, matrix
from cnnlab.render.png.plots import bars, curves, panels, reliability
from cnnlab.render.png.scatter import scatter
from cnnlab.render.png.scenes import scenes
from cnnlab.render.png.spans import spans
from cnnlab.render.png.theme import DARK, DPI, LIGHT, Theme, styled
from cnnlab.reports.blocks import Picture, Report, pictures
from cnnlab.reports.drawings import Bars, Curves, Gallery, Lattice, Matrix, Panels, Reliability, Spans
from cnnlab.reports.scatter import Scatter
from cnnlab.reports.scenes import Scene, Scenes

__all__ = ["DARK", "DPI", "LIGHT", "Theme", "draw", "encode", "pixels", "save"]


def draw(picture: Picture, *, theme: Theme = LIGHT) -> Figure:
    """The picture as a matplotlib figure with an Agg canvas."""
    title = printable(picture.title)
    with styled(theme):
        if isinstance(picture.drawing, Gallery | Scene | Scenes):
            # Laid out to the pixel, its title included.
            figure = Figure()
            FigureCanvasAgg(figure)
            match picture.drawing:
                case Gallery():
                    gallery(figure, picture.drawing, theme, title=title)
                case Scene():
                    scenes(figure, Scenes((picture.drawing,), columns=1), theme, title=title)
                case Scenes():
                    scenes(figure, picture.drawing, theme, title=title)
            return figure
        figure = Figure(layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08, hspace=0.04))
        FigureCanvasAgg(figure)
        match picture.drawing:
            case Curves():
                drawn = partial(curves, figure, picture.drawing, theme)
            case Panels():
                drawn = partial(panels, figure, picture.drawing, theme)
            case Bars():
                drawn = partial(bars, figure, picture.drawing, theme)
            case Reliability():
                drawn = partial(reliability, figure, picture.drawing, theme)
            case Matrix():
                drawn = partial(matrix, figure, picture.drawing, theme)
            case Spans():
                drawn = partial(spans, figure, picture.drawing, theme)
            case Lattice():
                drawn = partial(lattice, figure, picture.drawing, theme)
            case Scatter():
                drawn = partial(scatter, figure, picture.drawing, theme)
        drawn()
        figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold")
        return figure


def encode(picture: Picture, *, theme: Theme = LIGHT) -> bytes:
    """The picture as the bytes of a PNG, the same for the same picture."""
    buffer = io.BytesIO()
    figure = draw(picture, theme=theme)
    with styled(theme), warnings.catch_warnings():
        # A class name in a script without an installed font is drawn as boxes; the report has it as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # Not "figure", which would be the resolution with which the figure was made, and not the one set since.
        options: dict[str, Any] = {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 6}}
        figure.savefig(buffer, format="png", dpi=figure.dpi, **options)
    return buffer.getvalue()


def pixels(picture: Picture, *, theme: Theme = LIGHT) -> NDArray[np.uint8]:
    """The picture as uint8 [h, w, 3]."""
    return np.asarray(Image.open(io.BytesIO(encode(picture, theme=theme))).convert("RGB"))


def save(report: Report, folder: Path) -> list[Path]:
    """Every picture of the report as `folder/NAME.png`, each file written whole."""
    made = []
    for picture in pictures(report):
        path = folder / f"{picture.name}.png"
        write_whole(path, encode(picture))
        made.append(path)
    return made
