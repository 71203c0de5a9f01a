"""Scenes as panels in a grid, each pixel of a small image an equal square; titles, colours and legend outside."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cnnlab.core.characters import printable, shortened
from cnnlab.view.png import heat
from cnnlab.view.png.panel import bar, extent, handles, panel
from cnnlab.view.png.scene_layout import HEADING, NAMED, SMALL, TITLE, Layout, laid_out, lines
from cnnlab.view.png.theme import DPI, Theme, width, wrapped
from cnnlab.view.scenes import Scene, Scenes

_MOST_NAMED = 12
"""Entries of a legend."""


def lone_scene(figure: Figure, drawing: Scene, theme: Theme, *, title: str) -> None:
    """A single panel."""
    scenes(figure, Scenes((drawing,), columns=1), theme, title=title)


def scenes(figure: Figure, drawing: Scenes, theme: Theme, *, title: str) -> None:
    """The whole figure, its title included."""
    dpi = float(drawing.dpi or DPI)
    norms, named = _norms(drawing), _named(drawing, theme)
    layout = laid_out(drawing, norms, [name for _, name in named], title=title, dpi=dpi)
    wide, high = layout.figure
    figure.set_dpi(dpi)
    # A hundredth of a pixel more, since a canvas has the whole part of its size in pixels.
    figure.set_size_inches((wide + 0.01) / dpi, (high + 0.01) / dpi)
    for number, line in enumerate(layout.heading):
        _write(figure, line, layout.margin, layout.margin + 0.24 * dpi * number, TITLE, va="top", fontweight="bold")
    _name_columns_and_rows(figure, drawing, layout)
    for place, (scene, norm) in enumerate(zip(drawing.scenes, norms, strict=True)):
        row, column = divmod(place, layout.columns)
        _place(figure, scene, norm, theme, layout, row, column, alone=len(drawing.scenes) == 1)
    if layout.shared:
        first = next(scene for scene in drawing.scenes if scene.has_heat)
        x = layout.margin + layout.panels - layout.shared + 0.12 * dpi
        y = layout.corner(0, 0)[1]
        long = layout.corner(layout.rows - 1, 0)[1] + layout.size[1] - y
        bar(_axes(figure, x, y, 0.13 * dpi, long), first, heat.norm(_hot(drawing)), theme, pixels=long, dpi=dpi)
    if named:
        corner = layout.margin / wide, 1 - (layout.bottom + 0.1 * dpi) / high
        figure.legend([h for h, _ in named], [name for _, name in named], loc="upper left", ncols=layout.across,
                      bbox_to_anchor=corner, borderaxespad=0, handlelength=1.8, columnspacing=1.6, borderpad=0,
                      fontsize=NAMED)  # fmt: skip


def _name_columns_and_rows(figure: Figure, drawing: Scenes, layout: Layout) -> None:
    dpi, (wide, high) = layout.dpi, layout.size
    for column, title in enumerate(drawing.column_titles[: layout.columns]):
        broken = lines(title, layout.left + wide + layout.right, HEADING, most=2, dpi=dpi, bold=True)
        x, y = layout.corner(0, column)[0] + wide / 2, layout.top + layout.titles - 0.06 * dpi
        for number, line in enumerate(reversed(broken)):
            x = _centred(line, x, layout, column, HEADING, bold=True)
            _write(figure, line, x, y - 0.18 * number * dpi, HEADING, va="bottom", ha="center", fontweight="bold")
    for row, label in enumerate(drawing.row_labels):
        broken = wrapped(printable(label), layout.labels - 0.1 * dpi, HEADING, most=3, dpi=dpi)
        _write(figure, "\n".join(broken), layout.margin, layout.corner(row, 0)[1] + high / 2, HEADING, va="center")


def _place(
    figure: Figure, scene: Scene, norm: Normalize, theme: Theme, layout: Layout, row: int, column: int, *, alone: bool
) -> None:
    """One panel with its title above it, its caption below and its colours beside it."""
    dpi, room = layout.dpi, layout.left + layout.size[0] + layout.right
    left, right, top, bottom = extent(scene)
    scale = min(layout.size[0] / (right - left), layout.size[1] / (bottom - top))
    # Whole pixels for a pixel, while that costs less than a quarter of the image's size.
    scale = int(scale + 1e-6) if scale >= 3 else scale
    wide, high = (right - left) * scale, (bottom - top) * scale
    x, y = layout.corner(row, column)
    x += (layout.size[0] - wide) // 2
    axes = _axes(figure, x, y, wide, high)
    panel(axes, scene, theme, norm, scale=scale, small=not alone)
    if layout.left:
        axes.tick_params(labelsize=8.5 if alone else 7, length=3, pad=2)
    else:
        axes.set(xticks=[], yticks=[])
    if alone:
        axes.set_xlabel(f"column ({printable(scene.unit)})", labelpad=3)
        axes.set_ylabel(f"row ({printable(scene.unit)})", labelpad=3)
    for number, line in enumerate(reversed(lines(scene.title, room, HEADING, most=2, dpi=dpi))):
        middle = _centred(line, x + wide / 2, layout, column, HEADING)
        _write(figure, line, middle, y - (0.06 + 0.18 * number) * dpi, HEADING, va="bottom", ha="center")
    under = y + high + layout.below + 0.05 * dpi
    for number, line in enumerate(lines(scene.caption, room, SMALL, most=3, dpi=dpi)):
        middle = _centred(line, x + wide / 2, layout, column, SMALL)
        _write(figure, line, middle, under + 0.155 * number * dpi, SMALL, va="top", ha="center", color=theme.quiet)
    if scene.has_heat and layout.right:
        beside = _axes(figure, x + wide + 0.08 * dpi, y, 0.11 * dpi, high)
        bar(beside, scene, norm, theme, pixels=high, dpi=dpi)


def _centred(line: str, x: float, layout: Layout, column: int, points: float, *, bold: bool = False) -> float:
    """The middle of a line that is to be at `x`, or as near as it can without leaving the panel's column."""
    half = width(line, points, dpi=layout.dpi, bold=bold) / 2
    start = layout.corner(0, column)[0] - layout.left
    return max(start + half, min(x, start + layout.left + layout.size[0] + layout.right - half))


def _axes(figure: Figure, x: float, y: float, wide: float, high: float) -> Axes:
    """Axes at whole pixels from the figure's top left corner."""
    whole, tall = figure.bbox.width, figure.bbox.height
    x, y, wide, high = round(x), round(y), max(1, round(wide)), max(1, round(high))
    return figure.add_axes((x / whole, 1 - (y + high) / tall, wide / whole, high / tall))


def _write(figure: Figure, text: str, x: float, y: float, points: float, **more: Any) -> None:
    figure.text(x / figure.bbox.width, 1 - y / figure.bbox.height, text, fontsize=points, **more)


def _hot(drawing: Scenes) -> list[Scene]:
    return [scene for scene in drawing.scenes if scene.has_heat]


def _norms(drawing: Scenes) -> list[Normalize]:
    if drawing.shared_scale and _hot(drawing):
        return [heat.norm(_hot(drawing))] * len(drawing.scenes)
    return [heat.norm([scene]) for scene in drawing.scenes]


def _named(drawing: Scenes, theme: Theme) -> list[tuple[Line2D, str]]:
    """A legend's entries, each once."""
    found: dict[tuple[str, ...], tuple[Line2D, str]] = {}
    for scene in drawing.scenes:
        for handle, label in handles(scene, theme):
            look = (str(handle.get_color()), str(handle.get_markerfacecolor()), str(handle.get_linestyle()))
            found.setdefault((label, *look), (handle, shortened(label, 48)))
    entries = list(found.values())
    if len(entries) > _MOST_NAMED:
        rest = Line2D([], [], linestyle="none")
        entries = [*entries[: _MOST_NAMED - 1], (rest, f"and {len(entries) - _MOST_NAMED + 1} more")]
    return entries
