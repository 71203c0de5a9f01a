"""Scenes laid out to the pixel: panels in a grid, each pixel of a small picture an equal square, legend outside."""

from dataclasses import dataclass
from typing import Any

from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cnnlab.render.characters import printable, shortened
from cnnlab.render.png import heat
from cnnlab.render.png.lettering import fitted, width, wrapped
from cnnlab.render.png.panel import bar, bar_label, bar_letters, bar_numbers, extent, handles, panel
from cnnlab.render.png.theme import DPI, Theme
from cnnlab.reports.scenes import Scene, Scenes

_SIDES = ((1, 4.6), (2, 3.0), (3, 2.4), (4, 1.8), (6, 1.45))
"""Inches that a panel is wide, by the most columns for which it is."""
_NARROWEST = 1.15
_LEAST_WIDTH = 4.4
"""Inches of a figure, for its title's sake."""
_MOST_NAMED = 12
"""Entries of a legend."""
_MOST_WITH_TICKS = 6
"""Panels."""
_TITLE, _HEADING, _SMALL = 12.0, 9.5, 8.0
"""Points: the figure's title, a panel's, a caption's."""


@dataclass(frozen=True)
class _Zones:
    """Pixels kept free around each panel, and beside and below them all."""

    left: float
    right: float
    above: float
    below: float
    captions: float
    labels: float
    titles: float
    shared: float
    gap: float
    margin: float


def scenes(figure: Figure, drawing: Scenes, theme: Theme, *, title: str) -> None:
    """The whole figure, its title included."""
    dpi = float(drawing.dpi or DPI)
    figure.set_dpi(dpi)
    views = [extent(scene) for scene in drawing.scenes]
    norms = _norms(drawing)
    exact = drawing.figure_size
    # Twice, since how a text is broken depends on the panel's width, and where panels have a given figure to fill, the
    # reverse too.
    box = _size(views, drawing.columns, dpi)
    for _ in range(2):
        zones = _zones(drawing, norms, box, dpi)
        if exact is None:
            break
        box = _share(drawing, zones, box, theme, title, dpi)
    columns, rows = drawing.columns if len(drawing.scenes) > drawing.columns else len(drawing.scenes), drawing.rows
    step = (
        zones.left + box[0] + zones.right + zones.gap,
        zones.above + box[1] + zones.below + zones.captions + zones.gap,
    )
    inner = zones.labels + columns * step[0] - zones.gap + zones.shared
    total = exact[0] * dpi if exact else max(_LEAST_WIDTH * dpi, inner + 2 * zones.margin)
    lines = wrapped(title, total - 2 * zones.margin, _TITLE, most=2, dpi=dpi, bold=True)
    named = _named(drawing, theme)
    across, deep = _legend_grid(named, total - 2 * zones.margin, dpi)
    top = zones.margin + 0.24 * dpi * len(lines) + (0.08 * dpi if title else 0)
    bottom = top + zones.titles + rows * step[1] - zones.gap
    tall = exact[1] * dpi if exact else bottom + deep + zones.margin
    # A hundredth of a pixel more, since a canvas has the whole part of its size in pixels.
    figure.set_size_inches((round(total) + 0.01) / dpi, (round(tall) + 0.01) / dpi)
    page = _Page(figure, round(total), round(tall), dpi)
    for number, line in enumerate(lines):
        page.write(line, zones.margin, zones.margin + 0.24 * dpi * number, _TITLE, va="top", fontweight="bold")
    start = zones.margin + zones.labels
    for place, (scene, view, norm) in enumerate(zip(drawing.scenes, views, norms, strict=True)):
        row, column = divmod(place, columns)
        x = start + column * step[0] + zones.left
        y = top + zones.titles + row * step[1] + zones.above
        if row == 0 and drawing.column_titles:
            name = fitted(printable(drawing.column_titles[column]), step[0] - zones.gap, _HEADING, dpi=dpi, bold=True)
            page.write(name, x + box[0] / 2, top + 0.02 * dpi, _HEADING, va="top", ha="center", fontweight="bold")
        if column == 0 and drawing.row_labels:
            label = wrapped(printable(drawing.row_labels[row]), zones.labels - 0.1 * dpi, _HEADING, most=3, dpi=dpi)
            page.write("\n".join(label), zones.margin, y + box[1] / 2, _HEADING, va="center")
        _place(page, drawing, scene, view, norm, theme, (x, y), box, zones)
    if zones.shared:
        first = next(scene for scene in drawing.scenes if scene.has_heat)
        x, y = start + columns * step[0] - zones.gap + 0.12 * dpi, top + zones.titles + zones.above
        high = (rows - 1) * step[1] + box[1]
        bar(page.axes(x, y, 0.13 * dpi, high), first, heat.norm(_hot(drawing)), theme, pixels=high, dpi=dpi)
    if named:
        figure.legend([h for h, _ in named], [name for _, name in named], loc="upper left", ncols=across,
                      bbox_to_anchor=(zones.margin / total, 1 - (bottom + 0.1 * dpi) / tall), borderaxespad=0,
                      handlelength=1.8, columnspacing=1.6, borderpad=0)  # fmt: skip


@dataclass(frozen=True)
class _Page:
    """A figure in pixels from its top left corner."""

    figure: Figure
    width: float
    height: float
    dpi: float

    def axes(self, x: float, y: float, wide: float, high: float) -> Any:
        x, y, wide, high = (round(value) for value in (x, y, max(1, wide), max(1, high)))
        return self.figure.add_axes(
            (x / self.width, 1 - (y + high) / self.height, wide / self.width, high / self.height)
        )

    def write(self, text: str, x: float, y: float, points: float, **more: Any) -> None:
        self.figure.text(x / self.width, 1 - y / self.height, text, fontsize=points, **more)


def _place(
    page: _Page, drawing: Scenes, scene: Scene, view: tuple[float, float, float, float], norm: Normalize, theme: Theme,
    corner: tuple[float, float], box: tuple[float, float], zones: _Zones,
) -> None:  # fmt: skip
    dpi = page.dpi
    columns, rows = view[1] - view[0], view[3] - view[2]
    scale = min(box[0] / columns, box[1] / rows)
    if scale >= 3:
        scale = int(scale + 1e-6)
    wide, high = columns * scale, rows * scale
    x, y = corner[0] + (box[0] - wide) // 2, corner[1]
    axes = page.axes(x, y, wide, high)
    alone = len(drawing.scenes) == 1
    panel(axes, scene, theme, norm, scale=scale, small=not alone)
    if zones.left:
        axes.tick_params(labelsize=8.5 if alone else 7, length=3, pad=2)
    else:
        axes.set(xticks=[], yticks=[])
    if alone:
        axes.set_xlabel(f"column ({printable(scene.unit)})", labelpad=3)
        axes.set_ylabel(f"row ({printable(scene.unit)})", labelpad=3)
    across = zones.left + box[0] + zones.right
    for number, line in enumerate(reversed(_lines(scene.title, across, _HEADING, 2, dpi))):
        page.write(line, x + wide / 2, y - (0.06 + 0.18 * number) * dpi, _HEADING, va="bottom", ha="center")
    under = y + high + zones.below + 0.05 * dpi
    for number, line in enumerate(_lines(scene.caption, across, _SMALL, 3, dpi)):
        page.write(line, x + wide / 2, under + 0.155 * number * dpi, _SMALL, va="top", ha="center", color=theme.quiet)
    if scene.has_heat and not drawing.shared_scale:
        bar(page.axes(x + wide + 0.08 * dpi, y, 0.11 * dpi, high), scene, norm, theme, pixels=high, dpi=dpi)


def _lines(text: str, pixels: float, points: float, most: int, dpi: float) -> list[str]:
    return wrapped(printable(text, keep="\n"), pixels, points, most=most, dpi=dpi)


def _hot(drawing: Scenes) -> list[Scene]:
    return [scene for scene in drawing.scenes if scene.has_heat]


def _norms(drawing: Scenes) -> list[Normalize]:
    if drawing.shared_scale and _hot(drawing):
        return [heat.norm(_hot(drawing))] * len(drawing.scenes)
    return [heat.norm([scene]) for scene in drawing.scenes]


def _size(views: list[tuple[float, float, float, float]], columns: int, dpi: float) -> tuple[float, float]:
    """Pixels of a panel where nothing else sets them: whole multiples of the largest picture's, if it is small."""
    side = dpi * next((inches for most, inches in _SIDES if min(columns, len(views)) <= most), _NARROWEST)
    wide, high = max(right - left for left, right, _, _ in views), max(bottom - top for *_, top, bottom in views)
    if len(views) == 1:
        side = min(side, side * wide / high)
    scale = min(side / wide, 1.5 * side / high)
    scale = max(1, round(scale)) if scale >= 1 else scale
    return wide * scale, high * scale


def _share(
    drawing: Scenes, zones: _Zones, box: tuple[float, float], theme: Theme, title: str, dpi: float
) -> tuple[float, float]:
    """Pixels of a panel in a figure of a given size."""
    assert drawing.figure_size is not None
    total, tall = drawing.figure_size[0] * dpi, drawing.figure_size[1] * dpi
    columns = min(drawing.columns, len(drawing.scenes))
    wide = (total - 2 * zones.margin - zones.labels - zones.shared + zones.gap) / columns
    lines = wrapped(title, total - 2 * zones.margin, _TITLE, most=2, dpi=dpi, bold=True)
    deep = _legend_grid(_named(drawing, theme), total - 2 * zones.margin, dpi)[1]
    head = 0.24 * dpi * len(lines) + (0.08 * dpi if title else 0) + zones.titles
    high = (tall - 2 * zones.margin - head - deep + zones.gap) / drawing.rows
    least = 0.3 * dpi
    return (
        max(least, wide - zones.gap - zones.left - zones.right),
        max(least, high - zones.gap - zones.above - zones.below - zones.captions),
    )


def _zones(drawing: Scenes, norms: list[Normalize], box: tuple[float, float], dpi: float) -> _Zones:
    alone, hot = len(drawing.scenes) == 1, _hot(drawing)
    ticks = len(drawing.scenes) <= _MOST_WITH_TICKS
    longest = max(str(round(edge)) for scene in drawing.scenes for edge in extent(scene))
    beside = width(longest, 8.5 if alone else 7, dpi=dpi) + 0.1 * dpi if ticks else 0
    # The bar, its numbers and the lines of its label.
    high = drawing.rows * box[1] if drawing.shared_scale else box[1]
    letters = bar_letters(high, dpi)
    numbers = [
        n for scene, norm in zip(drawing.scenes, norms, strict=True) if scene.has_heat for n in bar_numbers(norm)
    ]
    lines = max((len(bar_label(scene, high, dpi)) for scene in hot), default=0)
    bars = 0.3 * dpi + max((width(n, letters, dpi=dpi) for n in numbers), default=0) + lines * 0.165 * dpi if hot else 0
    right = 0 if drawing.shared_scale else bars
    across = beside + (0.2 * dpi if alone else 0) + box[0] + right
    headings = max(len(_lines(scene.title, across, _HEADING, 2, dpi)) for scene in drawing.scenes)
    captions = max(len(_lines(scene.caption, across, _SMALL, 3, dpi)) for scene in drawing.scenes)
    labels = [printable(label) for label in drawing.row_labels]
    widest = max((width(shortened(label, 60), _HEADING, dpi=dpi) for label in labels), default=0)
    return _Zones(
        left=beside + (0.2 * dpi if alone else 0),
        right=right,
        above=headings * 0.18 * dpi + (0.06 * dpi if headings else 0),
        below=(0.2 * dpi if ticks else 0) + (0.22 * dpi if alone else 0),
        captions=captions * 0.155 * dpi + (0.07 * dpi if captions else 0),
        labels=min(widest, 1.3 * dpi) + 0.12 * dpi if labels else 0,
        titles=0.24 * dpi if drawing.column_titles else 0,
        shared=bars + 0.06 * dpi if drawing.shared_scale and hot else 0,
        gap=0.14 * dpi,
        margin=0.18 * dpi,
    )


def _named(drawing: Scenes, theme: Theme) -> list[tuple[Line2D, str]]:
    """A legend's entries, each once."""
    found: dict[tuple[str, str, str], tuple[Line2D, str]] = {}
    for scene in drawing.scenes:
        for handle, label in handles(scene, theme):
            look = f"{handle.get_color()} {handle.get_markerfacecolor()}"
            found.setdefault((label, look, str(handle.get_linestyle())), (handle, shortened(label, 48)))
    entries = list(found.values())
    if len(entries) > _MOST_NAMED:
        rest = Line2D([], [], linestyle="none")
        entries = [*entries[: _MOST_NAMED - 1], (rest, f"and {len(entries) - _MOST_NAMED + 1} more")]
    return entries


def _legend_grid(named: list[tuple[Line2D, str]], pixels: float, dpi: float) -> tuple[int, float]:
    """Columns of the legend, and the pixels that it needs below the panels."""
    if not named:
        return 1, 0
    widest = max(width(label, 8.5, dpi=dpi) for _, label in named) + 0.48 * dpi
    across = max(1, min(len(named), int(pixels // widest)))
    return across, (0.1 + 0.185 * -(-len(named) // across)) * dpi
