"""Colours, sizes and lettering of figures, on light and on dark paper.

Lines have the colours of M. Okabe and K. Ito, "Color universal design" (2008), which people with any kind of colour
vision tell apart; in an order in which neighbours differ in lightness too, for print without colour.
"""

import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import matplotlib
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from cnnlab.core.characters import shortened

DPI = 144
"""Pixels per inch: one and a half of a web page's, sharp on dense screens and still small files."""

SEQUENTIAL = "cividis"
HEAT = "inferno"
"""Over images, where it stands out by lightness and warmth; as even in steps as cividis."""
DIVERGING = "RdBu_r"
"""Red against blue: told apart with any of the common colour deficiencies."""


@dataclass(frozen=True)
class Theme:
    """The colours of one kind of paper."""

    name: str
    paper: str
    ink: str
    quiet: str
    """Axes, ticks, second-rank words."""
    grid: str
    lines: tuple[str, ...]


LIGHT = Theme(
    "light", "#ffffff", "#1f2328", "#59636e", "#e4e7eb",
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1f2328"),
)  # fmt: skip
DARK = Theme(
    "dark", "#16191d", "#e6e8eb", "#9aa4ae", "#2c3238",
    ("#56b4e9", "#e69f00", "#2fbf97", "#cc79a7", "#f0e442", "#d55e00", "#e6e8eb"),
)  # fmt: skip

# DejaVu, which matplotlib brings, has no Chinese, Japanese or Korean; these do, where they are installed.
_FALLBACKS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans",
    "Malgun Gothic",
)


def styled(theme: Theme) -> AbstractContextManager[None]:
    """While it lasts, what matplotlib makes has the theme's colours and sizes."""
    return matplotlib.rc_context(cast(Any, _settings(theme)))


def _settings(theme: Theme) -> dict[str, Any]:
    installed = set(font_manager.get_font_names())
    return {
        "font.family": ["DejaVu Sans", *(name for name in _FALLBACKS if name in installed)],
        "font.size": 9.5,
        "text.color": theme.ink,
        # A class may be called "$100" or "a_b^c": names are words, never formulas.
        "text.parse_math": False,
        "axes.edgecolor": theme.quiet,
        "axes.facecolor": theme.paper,
        "axes.labelcolor": theme.ink,
        "axes.labelsize": 9.5,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "figure.facecolor": theme.paper,
        "figure.dpi": DPI,
        "grid.color": theme.grid,
        "grid.linewidth": 0.8,
        "xtick.color": theme.quiet,
        "ytick.color": theme.quiet,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.9,
        "lines.solid_capstyle": "round",
    }


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
