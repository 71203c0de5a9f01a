"""One panel of a scene: the image, its heat, and outlines that show on any image."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator

from cnnlab.core.characters import printable
from cnnlab.view.blocks import shown
from cnnlab.view.png import heat
from cnnlab.view.png.plots import power
from cnnlab.view.png.theme import Theme, wrapped
from cnnlab.view.scenes import Box, Contour, Scene

Extent = tuple[float, float, float, float]
"""First and last column, first and last row, of pixels' edges: half a pixel outside their centres."""

_STYLES: dict[str, Any] = {"solid": "solid", "dashed": (0, (4, 2.5))}
_FORM = ".3g"


def extent(scene: Scene) -> Extent:
    """What a panel shows: the image, and where something lies outside, so much paper around that it fits."""
    height, width = scene.size
    rows = [0, height - 1, *(r for box in scene.boxes for r in (box.first_row, box.last_row))]
    columns = [0, width - 1, *(c for box in scene.boxes for c in (box.first_column, box.last_column))]
    rows += [place for point in scene.points for place in (int(np.floor(point.row)), int(np.ceil(point.row)))]
    columns += [place for point in scene.points for place in (int(np.floor(point.column)), int(np.ceil(point.column)))]
    rows += scene.window[:2] if scene.window else ()
    columns += scene.window[2:] if scene.window else ()
    left, right, top, bottom = min(columns), max(columns), min(rows), max(rows)
    if (left, right, top, bottom) != (0, width - 1, 0, height - 1):
        around = max(1, round(0.04 * max(right - left, bottom - top)))
        left, right, top, bottom = left - around, right + around, top - around, bottom + around
    return left - 0.5, right + 0.5, top - 0.5, bottom + 0.5


def panel(axes: Axes, scene: Scene, theme: Theme, norm: Normalize, *, scale: float, small: bool) -> None:
    """Everything inside the axes, which have the scene's extent already in their shape.

    scale: pixels of the figure per pixel of the image.
    """
    height, width = scene.size
    left, right, top, bottom = extent(scene)
    image = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.set_facecolor(theme.grid)
    axes.add_patch(Rectangle((-0.5, -0.5), width, height, facecolor=theme.paper, edgecolor="none", zorder=0))
    if scene.image is not None:
        sharp: dict[str, Any] = {"interpolation": "nearest"} if scale >= 1.5 else {}
        axes.imshow(heat.in_colour(scene.image), extent=image, aspect="auto", zorder=1, **sharp)
    if scene.heat is not None and scene.has_heat:
        map_ = np.asarray(scene.heat, dtype=float)
        if scene.is_smoothed:
            map_ = heat.enlarged(map_, max(len(map_), round(scale * height)), max(len(map_[0]), round(scale * width)))
        cmap = heat.colours(scene.heat_scale, scene.alpha, over_image=scene.image is not None)
        axes.imshow(map_, cmap=cmap, norm=norm, extent=image, aspect="auto", interpolation="nearest", zorder=2)
    axes.add_patch(
        Rectangle(
            (-0.5, -0.5), width, height, fill=False, edgecolor=theme.quiet, linewidth=0.8, zorder=2.5, clip_on=False
        )
    )
    _outlines(axes, scene, theme, linewidth=1.5 if small else 2.0)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.spines[:].set_visible(False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=4 if small else 8, integer=True, steps=[1, 2, 5, 10]))
    if scene.absence:
        _say(axes, scene.absence, theme, scale * (right - left), 8 if small else 11)


def handles(scene: Scene, theme: Theme) -> list[tuple[Line2D, str]]:
    """What the outlines are, for a legend."""
    made = []
    outlines: list[Box | Contour] = [*scene.boxes, *scene.contours]
    for outline in outlines:
        found = isinstance(outline, Box) or _is_crossed(outline)
        line = Line2D([], [], color=_line(theme, outline.colour), linewidth=2, linestyle=_STYLES[outline.style])
        # A contour that would run nowhere is named without a line.
        line.set_alpha(1 if found else 0)
        made.append((line, printable(outline.label) + ("" if found else " (nowhere)")))
    made += [(_marker([], [], point.colour, theme, 7), printable(point.label)) for point in scene.points]
    return [(handle, label) for handle, label in made if label]


def bar(axes: Axes, scene: Scene, norm: Normalize, theme: Theme, *, pixels: float, dpi: float) -> None:
    """The colours with their numbers and what they say, in axes of their own that are `pixels` high."""
    cmap = heat.colours(scene.heat_scale, scene.alpha, over_image=scene.image is not None)
    ramp = np.linspace(1, 0, 256)[:, None]
    axes.imshow(ramp, cmap=cmap, norm=Normalize(0, 1), extent=(0, 1, 0, 1), aspect="auto", interpolation="nearest")
    axes.set_facecolor(theme.paper)
    axes.spines[:].set(visible=True, linewidth=0.6)
    axes.set_xticks([])
    values = heat.ticks(norm)
    axes.yaxis.tick_right()
    places = [float(norm(value)) for value in values]
    axes.set_yticks(places, bar_numbers(norm))
    axes.tick_params(axis="y", length=2.5, pad=2, labelsize=bar_letters(pixels, dpi))
    for place, label in zip(places, axes.get_yticklabels(), strict=True):
        # A number at an end of the bar stays beside it.
        label.set_verticalalignment("bottom" if place < 0.01 else "top" if place > 0.99 else "center")
    axes.yaxis.set_label_position("right")
    lines = bar_label(scene, pixels, dpi)
    axes.set_ylabel("\n".join(lines), fontsize=bar_letters(pixels, dpi), labelpad=3)


def bar_letters(pixels: float, dpi: float) -> float:
    """Points of the letters beside a bar of `pixels`."""
    return 8.5 if pixels > 2.4 * dpi else 7.5


def bar_label(scene: Scene, pixels: float, dpi: float) -> list[str]:
    """The lines of what is written along a bar of `pixels`."""
    return wrapped(printable(scene.heat_label), pixels, bar_letters(pixels, dpi), most=2, dpi=dpi)


def bar_numbers(norm: Normalize) -> list[str]:
    """What is written at a bar's ticks."""
    logarithmic = isinstance(norm, LogNorm)
    return [power(value) if logarithmic else shown(value, _FORM) for value in heat.ticks(norm)]


def _outlines(axes: Axes, scene: Scene, theme: Theme, *, linewidth: float) -> None:
    for box in scene.boxes:
        colour = _line(theme, box.colour)
        corner = box.first_column - 0.5, box.first_row - 0.5
        sides = box.last_column - box.first_column + 1, box.last_row - box.first_row + 1
        axes.add_patch(
            Rectangle(corner, *sides, fill=False, edgecolor=colour, linewidth=linewidth, linestyle=_STYLES[box.style],
                      joinstyle="miter", path_effects=_halo(colour, linewidth), zorder=4, clip_on=False)
        )  # fmt: skip
    for contour in scene.contours:
        if _is_crossed(contour):
            colour = _line(theme, contour.colour)
            drawn = axes.contour(*_surface(contour.values, scene.size), [contour.level], colors=[colour],
                                 linewidths=linewidth, linestyles=[_STYLES[contour.style]], zorder=3)  # fmt: skip
            drawn.set_path_effects(_halo(colour, linewidth))
    for point in scene.points:
        axes.add_line(_marker([point.column], [point.row], point.colour, theme, 4.5 * linewidth))


def _surface(values: Any, size: tuple[int, int]) -> tuple[Any, Any, Any]:
    """Columns, rows and values; continued from the outer cells' centres to the edge of the image."""
    places = []
    for cells, length in zip(values.shape, size, strict=True):
        centres = (np.arange(cells) + 0.5) * length / cells - 0.5
        places.append(np.concatenate([[-0.5], centres, [length - 0.5]]))
    return places[1], places[0], np.pad(np.asarray(values, dtype=float), 1, mode="edge")


def _is_crossed(contour: Contour) -> bool:
    known = contour.values[np.isfinite(contour.values)]
    return bool(known.size and known.min() < contour.level < known.max())


def _marker(x: list[float], y: list[float], colour: int, theme: Theme, size: float) -> Line2D:
    chosen = _line(theme, colour)
    return Line2D(x, y, linestyle="none", marker="X", markersize=size, markerfacecolor=chosen,
                  markeredgecolor=_contrast(chosen), markeredgewidth=1, zorder=5, clip_on=False)  # fmt: skip


def _line(theme: Theme, number: int) -> str:
    return theme.lines[number % len(theme.lines)]


def _contrast(colour: str) -> str:
    # Relative luminance (ITU-R BT.709), as of the letters in a matrix.
    return "#000000" if float(np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722))) > 0.45 else "#ffffff"


def _halo(colour: str, linewidth: float) -> list[Any]:
    return [Stroke(linewidth=linewidth + 1.6, foreground=_contrast(colour), alpha=0.85), Normal()]


def _say(axes: Axes, sentence: str, theme: Theme, pixels: float, points: float) -> None:
    figure = axes.figure
    assert isinstance(figure, Figure)
    lines = wrapped(printable(sentence), 0.85 * pixels, points, most=4, dpi=figure.dpi)
    box = {"facecolor": theme.paper, "edgecolor": theme.quiet, "linewidth": 0.6, "alpha": 0.9, "boxstyle": "round"}
    axes.text(0.5, 0.5, "\n".join(lines), transform=axes.transAxes, ha="center", va="center", fontsize=points,
              bbox=box, zorder=6)  # fmt: skip
