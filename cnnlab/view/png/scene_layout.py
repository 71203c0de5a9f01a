"""The layout of scenes: how large each panel is and what stands where around it, in pixels from the top left corner."""

from dataclasses import dataclass

from matplotlib.colors import Normalize

from cnnlab.core.characters import printable, shortened
from cnnlab.view.png.panel import bar_label, bar_letters, bar_numbers, extent
from cnnlab.view.png.theme import width, wrapped
from cnnlab.view.scenes import Scene, Scenes

TITLE, HEADING, SMALL, NAMED = 12.0, 9.5, 8.0, 8.5
"""Points: the figure's title, a panel's, a caption's, the legend's."""

_SIDES = ((1, 4.6), (2, 3.0), (3, 2.4), (4, 1.8), (6, 1.45))
"""Inches that a panel is wide, by the most columns for which it is."""
_NARROWEST = 1.15
_LEAST_WIDTH = 4.4
"""Inches of a figure, for its title's sake."""
_LEAST_PANEL = 0.3
"""Inches of a panel in a figure of a given size, which may then be too small for it."""
_MOST_WITH_TICKS = 6
"""Panels."""
_LABEL = 1.3
"""Inches that the labels of rows are wide at most."""


@dataclass(frozen=True)
class Layout:
    """Pixels kept free around each panel, and beside, above and below them all."""

    dpi: float
    rows: int
    columns: int
    size: tuple[float, float]
    """Width and height of a panel's image; of an image of another shape, the most."""
    left: float
    right: float
    above: float
    below: float
    captions: float
    labels: float
    shared: float
    titles: float
    heading: tuple[str, ...]
    """The lines of the figure's title."""
    across: int
    """Columns of the legend."""
    legend: float
    exact: tuple[float, float] | None
    """Width and height of the figure, where they are given."""

    @property
    def gap(self) -> float:
        """Between panels."""
        return 0.14 * self.dpi

    @property
    def margin(self) -> float:
        """Around everything."""
        return 0.18 * self.dpi

    @property
    def step(self) -> tuple[float, float]:
        """From a panel to the next."""
        wide, high = self.size
        return self.left + wide + self.right + self.gap, self.above + high + self.below + self.captions + self.gap

    @property
    def top(self) -> float:
        """Pixel at which the titles of the columns begin."""
        return self.margin + (0.24 * len(self.heading) + 0.08) * self.dpi * bool(self.heading)

    @property
    def bottom(self) -> float:
        """Pixel at which the lowest captions end."""
        return self.top + self.titles + self.rows * self.step[1] - self.gap

    @property
    def panels(self) -> float:
        """Width of everything but the margins."""
        return self.labels + self.columns * self.step[0] - self.gap + self.shared

    @property
    def figure(self) -> tuple[int, int]:
        """Width and height of the whole, in whole pixels."""
        if self.exact is not None:
            return round(self.exact[0]), round(self.exact[1])
        wide = max(_LEAST_WIDTH * self.dpi, self.panels + 2 * self.margin)
        return round(wide), round(self.bottom + self.legend + self.margin)

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """Pixel at which a panel's image begins: x and y."""
        x = self.margin + self.labels + column * self.step[0] + self.left
        return x, self.top + self.titles + row * self.step[1] + self.above


def laid_out(drawing: Scenes, norms: list[Normalize], names: list[str], *, title: str, dpi: float) -> Layout:
    """The layout of panels whose colours follow `norms`, with a legend of `names` below them."""
    views = [extent(scene) for scene in drawing.scenes]
    size = _size(views, drawing.columns, dpi)
    made = _around(drawing, norms, names, size, title, dpi)
    exact = made.exact
    if exact is None:
        return made
    # How texts are broken depends on the panels' size, which depends on what the texts leave: twice is near enough.
    for _ in range(2):
        wide = (exact[0] - 2 * made.margin - made.labels - made.shared + made.gap) / made.columns
        high = (exact[1] - made.margin - made.top - made.titles - made.legend + made.gap) / made.rows
        size = wide - (made.step[0] - made.size[0]), high - (made.step[1] - made.size[1])
        size = max(_LEAST_PANEL * dpi, size[0]), max(_LEAST_PANEL * dpi, size[1])
        made = _around(drawing, norms, names, size, title, dpi)
    return made


def lines(text: str, pixels: float, points: float, *, most: int, dpi: float, bold: bool = False) -> list[str]:
    """A title or a caption in lines that are no wider than `pixels`."""
    return wrapped(printable(text, keep="\n"), pixels, points, most=most, dpi=dpi, bold=bold)


def _size(views: list[tuple[float, float, float, float]], columns: int, dpi: float) -> tuple[float, float]:
    """Pixels of a panel where nothing else sets them: whole multiples of the largest image's, if it is small."""
    side = dpi * next((inches for most, inches in _SIDES if min(columns, len(views)) <= most), _NARROWEST)
    wide, high = max(right - left for left, right, *_ in views), max(bottom - top for *_, top, bottom in views)
    if len(views) == 1:
        side = min(side, side * wide / high)
    scale = min(side / wide, 1.5 * side / high)
    scale = max(1, round(scale)) if scale >= 1 else scale
    return wide * scale, high * scale


def _around(
    drawing: Scenes, norms: list[Normalize], names: list[str], size: tuple[float, float], title: str, dpi: float
) -> Layout:
    alone, ticks = len(drawing.scenes) == 1, len(drawing.scenes) <= _MOST_WITH_TICKS
    columns = min(drawing.columns, len(drawing.scenes))
    longest = max((f"{edge:.0f}" for scene in drawing.scenes for edge in extent(scene)), key=len)
    left = width(longest, 8.5 if alone else 7, dpi=dpi) + (0.3 if alone else 0.1) * dpi if ticks else 0
    bars = _bars(drawing, norms, size[1], dpi)
    right = 0 if drawing.shared_scale else bars
    room = left + size[0] + right
    headings = max(len(lines(scene.title, room, HEADING, most=2, dpi=dpi)) for scene in drawing.scenes)
    captions = max(len(lines(scene.caption, room, SMALL, most=3, dpi=dpi)) for scene in drawing.scenes)
    titles = max((len(lines(t, room, HEADING, most=2, dpi=dpi, bold=True)) for t in drawing.column_titles), default=0)
    labels = [width(shortened(printable(label), 60), HEADING, dpi=dpi) for label in drawing.row_labels]
    beside = min(max(labels), _LABEL * dpi) + 0.12 * dpi if labels else 0
    shared = bars + 0.06 * dpi if drawing.shared_scale else 0
    across = columns * (room + 0.14 * dpi) - 0.14 * dpi + beside + shared
    inner = (drawing.figure_size[0] - 0.36) * dpi if drawing.figure_size else max((_LEAST_WIDTH - 0.36) * dpi, across)
    widest = max((width(name, NAMED, dpi=dpi) for name in names), default=0) + 0.48 * dpi
    in_a_row = max(1, min(len(names), int(inner // widest)))
    return Layout(
        dpi=dpi,
        rows=drawing.rows,
        columns=columns,
        size=size,
        left=left,
        right=right,
        above=_high(headings, 0.18, 0.06) * dpi,
        below=(0.2 * ticks + 0.22 * alone) * dpi,
        captions=_high(captions, 0.155, 0.07) * dpi,
        labels=beside,
        shared=shared,
        titles=_high(titles, 0.18, 0.06) * dpi,
        heading=tuple(wrapped(title, inner, TITLE, most=2, dpi=dpi, bold=True)),
        across=in_a_row,
        legend=_high(-(-len(names) // in_a_row), 0.185, 0.1) * dpi,
        exact=None if drawing.figure_size is None else (drawing.figure_size[0] * dpi, drawing.figure_size[1] * dpi),
    )


def _bars(drawing: Scenes, norms: list[Normalize], high: float, dpi: float) -> float:
    """Pixels beside a panel for a bar of colours, its numbers and the lines of its label."""
    hot: list[tuple[Scene, Normalize]] = [
        (scene, norm) for scene, norm in zip(drawing.scenes, norms, strict=True) if scene.has_heat
    ]
    if not hot:
        return 0
    long = drawing.rows * high if drawing.shared_scale else high
    letters = bar_letters(long, dpi)
    numbers = max(width(number, letters, dpi=dpi) for _, norm in hot for number in bar_numbers(norm))
    label = max(len(bar_label(scene, long, dpi)) for scene, _ in hot)
    return (0.3 + 0.165 * label) * dpi + numbers


def _high(count: int, line: float, more: float) -> float:
    """Inches of `count` lines and what is between them and the panel."""
    return count * line + more if count else 0
