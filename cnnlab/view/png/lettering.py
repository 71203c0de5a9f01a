"""Lettering: how wide a text will be, and texts shortened or broken to fit."""

import warnings
from functools import lru_cache
from typing import cast

from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from cnnlab.core.characters import shortened
from cnnlab.view.png.theme import DPI


def width(text: str, points: float, *, dpi: float = DPI, bold: bool = False) -> float:
    """Pixels that `text`, in letters of `points`, is wide."""
    return _measured(text, points, bold) * dpi / DPI


def fitted(text: str, pixels: float, points: float, *, dpi: float = DPI, bold: bool = False) -> str:
    """`text`, shortened until it is no wider than `pixels`."""
    length = len(text)
    while length > 1 and width(shortened(text, length), points, dpi=dpi, bold=bold) > pixels:
        length -= 1
    return shortened(text, length)


def wrapped(text: str, pixels: float, points: float, *, most: int, dpi: float = DPI, bold: bool = False) -> list[str]:
    """`text` in lines no wider than `pixels`, broken at spaces; what is beyond `most` lines is shortened away."""
    lines: list[str] = []
    for paragraph in text.split("\n") if text else []:
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and width(longer, points, dpi=dpi, bold=bold) > pixels:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [fitted(line, pixels, points, dpi=dpi, bold=bold) for line in lines]


@lru_cache(maxsize=4096)
def _measured(text: str, points: float, bold: bool) -> float:
    font = FontProperties(size=points, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        # Where a script has no installed font, the boxes that stand for its letters are measured.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        return float(_renderer().get_text_width_height_descent(text, font, ismath=False)[0])


@lru_cache(maxsize=1)
def _renderer() -> RendererAgg:
    canvas = FigureCanvasAgg(Figure(figsize=(1, 1), dpi=DPI))
    return cast(RendererAgg, canvas.get_renderer())
