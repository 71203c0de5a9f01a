"""Surfaces: from above as bands and lines of one height, and as a body seen from a side."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from cnnlab.core.characters import printable, shortened
from cnnlab.view.blocks import shown
from cnnlab.view.drawings import Relief, Surface, Surfaces
from cnnlab.view.png.theme import SEQUENTIAL, Theme

BANDS = 14
_SIDE = 4.3
"""Inches of a surface from above."""
_RELIEF = (5.6, 4.4)
_TILT = 30
"""Degrees from which a body is looked down upon."""
_HEIGHT = 1.1
"""Of a body, whose floor is 2 wide."""
_LIGHT = np.array([-0.4, 0.8, -0.45])
"""Where the light comes from: to the right, upwards, away."""


def limits(*surfaces: Surface) -> tuple[float, float]:
    """The lowest and the highest height above 0 of all; apart from one another, as a logarithmic scale needs it."""
    heights = np.concatenate([surface.heights.ravel() for surface in surfaces])
    found = heights[np.isfinite(heights) & (heights > 0)]
    low, high = float(found.min()), float(found.max())
    return low, max(high, 1.05 * low)


def told_apart(values: Sequence[float]) -> str:
    """The shortest form, from two digits on, in which no two of the values are written alike."""
    different = len(set(values))
    forms = (f".{digits}g" for digits in range(2, 8))
    return next((form for form in forms if len({shown(value, form) for value in values}) == different), ".7g")


def surfaces(figure: Figure, drawing: Surfaces, theme: Theme) -> None:
    """Bands of one colour with lines between them, one bar for all."""
    count = len(drawing.surfaces)
    figure.set_size_inches(_SIDE * count + 1.2, _SIDE + 0.6)
    grid = figure.subplots(1, count, squeeze=False)[0]
    low, high = limits(*drawing.surfaces)
    levels = np.geomspace(low, high, BANDS + 1)
    norm = LogNorm(low, high)
    form = told_apart([float(level) for level in levels[::2]])
    bands: Any = None
    for axes, surface in zip(grid, drawing.surfaces, strict=True):
        heights = _within(surface.heights, low, high)
        bands = axes.contourf(surface.x, surface.y, heights, levels=levels, norm=norm, cmap=SEQUENTIAL)
        lines = axes.contour(
            surface.x, surface.y, heights, levels=levels[1:-1], colors="white", linewidths=0.6, alpha=0.7
        )
        axes.clabel(lines, levels=levels[2:-1:2], fmt=lambda value: shown(value, form), fontsize=7)
        if surface.path:
            _path(axes, surface)
        axes.plot(0, 0, marker="*", markersize=11, color="white", markeredgecolor="#1f2328", markeredgewidth=0.7)
        axes.set_xlabel(printable(surface.x_label))
        axes.set_ylabel(printable(surface.y_label))
        if surface.title:
            axes.set_title(printable(surface.title), loc="left", fontsize=10)
    bar = figure.colorbar(bands, ax=list(grid), fraction=0.046, pad=0.02, aspect=28)
    bar.set_label(printable(drawing.label))
    bar.set_ticks(list(levels[::2]))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, form)))
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)


def _within(heights: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Heights that are none stand at the upper end: the loss is beyond all bounds there."""
    return np.asarray(np.clip(np.where(np.isfinite(heights), heights, high), low, high))


def _path(axes: Any, surface: Surface) -> None:
    x, y = zip(*surface.path, strict=True)
    edge = {"markeredgecolor": "#1f2328", "markeredgewidth": 0.4}
    axes.plot(x, y, color="white", linewidth=1.6, marker="o", markersize=3.2, **edge)
    style = {"textcoords": "offset points", "xytext": (5, 5), "fontsize": 7.5, "color": "white", "fontweight": "bold"}
    written: list[tuple[float, float]] = []
    spans = [abs(end - start) for start, end in (axes.get_xlim(), axes.get_ylim())]
    for place, label in reversed(list(zip(surface.path, surface.path_labels, strict=False))):
        if label and not any(_touch(place, other, spans) for other in written):
            written.append(place)
            axes.annotate(shortened(printable(label), 12), place, **style).set_in_layout(False)


def _touch(one: tuple[float, float], other: tuple[float, float], spans: list[float]) -> bool:
    """Whether the labels of two places would lie on one another; the later place of a path keeps its own."""
    across, along = (abs(a - b) / span for a, b, span in zip(one, other, spans, strict=True))
    return across < 0.05 and along < 0.03


def relief(figure: Figure, drawing: Relief, theme: Theme, *, title: str) -> None:
    """The surface as a body on its floor, lit from the upper left; its height follows the logarithm."""
    figure.set_size_inches(*_RELIEF)
    axes = figure.add_axes((0.02, 0.0, 0.96, 0.94))
    axes.set(xlim=(-1.75, 1.75), ylim=(-1.25, 1.5))
    axes.set_axis_off()
    axes.set_aspect("equal")
    surface = drawing.surface
    low, high = drawing.limits or limits(surface)
    share = np.log(_within(surface.heights, low, high) / low) / math.log(high / low)
    x, y = np.meshgrid(_from_minus_1_to_1(surface.x), _from_minus_1_to_1(surface.y))
    points = _seen(np.stack([x, y, _HEIGHT * share], axis=-1), drawing.turn)
    quads = np.stack([points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]], axis=2).reshape(-1, 4, 3)
    heights = (share[:-1, :-1] + share[:-1, 1:] + share[1:, 1:] + share[1:, :-1]).ravel() / 4
    order = np.argsort(-quads[:, :, 2].mean(1))  # the farthest first
    colours = colormaps[SEQUENTIAL](heights[order])
    colours[:, :3] *= _light(quads[order])[:, None]
    _floor(axes, drawing, theme)
    axes.add_collection(
        PolyCollection(list(quads[order, :, :2]), facecolors=list(colours), edgecolors=theme.paper, linewidths=0.25)
    )
    _scale(axes, drawing, theme, low, high)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")


def _from_minus_1_to_1(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2 * (values - values[0]) / (values[-1] - values[0]) - 1)


def _seen(points: NDArray[np.float64], turn: float) -> NDArray[np.float64]:
    """Points (x, y, z) as (to the right, upwards, away), seen from `_TILT` degrees above."""
    turned, tilt = math.radians(turn + 30), math.radians(_TILT)
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    across, away = x * math.cos(turned) - y * math.sin(turned), x * math.sin(turned) + y * math.cos(turned)
    up = z * math.cos(tilt) + away * math.sin(tilt)
    return np.stack([across, up, away * math.cos(tilt) - z * math.sin(tilt)], axis=-1)


def _light(quads: NDArray[np.float64]) -> NDArray[np.float64]:
    """How bright each quad is, from 0.72 to 1: by how it lies to the light."""
    normal = np.cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-12)
    return np.asarray(0.72 + 0.28 * np.abs(normal @ _LIGHT))


def _floor(axes: Any, drawing: Relief, theme: Theme) -> None:
    """The edges of the floor, and what its axes are, each at its positive end."""
    corners = _seen(np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [-1, -1, 0]], float), drawing.turn)
    axes.plot(corners[:, 0], corners[:, 1], color=theme.quiet, linewidth=0.8)
    names = (drawing.surface.x_label, drawing.surface.y_label)
    for name, end in zip(names, ([1.14, 0.0, 0.0], [0.0, 1.14, 0.0]), strict=True):
        across, up, _ = _seen(np.array(end), drawing.turn)
        side = "left" if across > 0.15 else "right" if across < -0.15 else "center"
        axes.text(across, up, printable(name), ha=side, va="center", fontsize=8, color=theme.ink, zorder=5)


def _scale(axes: Any, drawing: Relief, theme: Theme, low: float, high: float) -> None:
    """The upright axis at the corner that is seen farthest to the left."""
    floor = [_seen(np.array([x, y, 0.0]), drawing.turn) for x in (-1, 1) for y in (-1, 1)]
    across, up, _ = min(floor, key=lambda corner: float(corner[0]))
    top = up + _HEIGHT * math.cos(math.radians(_TILT))
    axes.plot([across, across], [up, top], color=theme.quiet, linewidth=0.8)
    places = np.linspace(0, 1, 4)
    heights = [float(low * (high / low) ** place) for place in places]
    form = told_apart(heights)
    for place, height in zip(places, heights, strict=True):
        words = shown(height, form)
        axes.text(across - 0.04, up + place * (top - up), words, ha="right", va="center", fontsize=8, color=theme.ink)
    axes.text(across, top + 0.08, printable(drawing.label), ha="center", fontsize=8, color=theme.ink)
