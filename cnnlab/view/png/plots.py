"""Drawings with axes: curves, bars, reliability, clouds of points, spans over a common axis."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogFormatter, MaxNLocator, NullLocator

from cnnlab.core.characters import printable, shortened
from cnnlab.view.blocks import shown
from cnnlab.view.drawings import Bars, Curves, Mark, Panels, Parallel, ParallelAxis, Reliability, Scatter, Spans
from cnnlab.view.png.theme import SEQUENTIAL, Theme
from cnnlab.view.sketches import size_text

MOST_PLACES = 10
"""Places on a logarithmic x axis that are named one by one, such as sizes of batches."""

WIDTH = 8.0
"""Inches."""

_LONGEST_NAME = 28
"""Characters of a label beside an axis."""

_SHAPES = "os^DvPX"
_CROWD = 1500
"""Points beyond which each is drawn smaller and fainter."""


def curves(figure: Figure, drawing: Curves, theme: Theme) -> None:
    """Lines over one pair of axes."""
    figure.set_size_inches(WIDTH, 4.4)
    axes = figure.add_subplot()
    _lines(axes, drawing, theme)
    axes.set_xlabel(drawing.x_label)


def panels(figure: Figure, drawing: Panels, theme: Theme) -> None:
    """Plots above one another over a common x axis; the first is the highest."""
    heights = [1.0] + [0.72] * (len(drawing.panels) - 1)
    figure.set_size_inches(WIDTH, 0.9 + 2.6 * sum(heights))
    grid = figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    named: list[str] = []
    for axes, panel in zip(grid, drawing.panels, strict=True):
        names = [series.name for series in panel.series]
        # The same lines need no second legend.
        _lines(axes, panel, theme, legend=names != named)
        named = named or names
        if panel.title:
            axes.set_title(printable(panel.title), loc="left", fontsize=10)
    grid[-1].set_xlabel(drawing.panels[-1].x_label)
    figure.align_ylabels(list(grid))


def _lines(axes: Axes, drawing: Curves, theme: Theme, *, legend: bool = True) -> None:
    styles: dict[str, dict[str, Any]] = {
        "line": {},
        "dashed": {"linestyle": (0, (4, 2.2)), "linewidth": 1.5},
        "faint": {"alpha": 0.35, "linewidth": 1.0},
        "points": {"linestyle": "none", "marker": "o", "markersize": 4},
    }
    handles, names = [], []
    for number, series in enumerate(drawing.series):
        turn, place = divmod(number if series.colour is None else series.colour, len(theme.lines))
        colour = theme.lines[place]
        y = np.array([np.nan if value is None else value for value in series.y], dtype=float)
        # A line of one point, or one whose neighbours are missing, would be invisible.
        alone = np.isfinite(y).sum() == 1 or (series.style == "line" and _has_lonely_point(y))
        marker: dict[str, Any] = {"marker": "o", "markersize": 4.5} if alone else {}
        if turn:
            # The colours are used up: from the eighth line on, dots tell it from the first.
            marker["linestyle"] = (0, (1, 1.2))
        handles.append(axes.plot(series.x, y, color=colour, **{**marker, **styles[series.style]})[0])
        names.append(shortened(printable(series.name), 40))
        if series.low is not None and series.high is not None:
            axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.18, linewidth=0)
    axes.set_ylabel(in_percent(drawing.y_label) if drawing.percent else drawing.y_label)
    axes.grid(axis="y")
    axes.set_xscale(drawing.x_scale)
    axes.set_yscale(drawing.y_scale)
    places = {float(x) for series in drawing.series for x in series.x}
    if drawing.y_scale == "log":
        axes.yaxis.set_major_formatter(FuncFormatter(power))
        axes.yaxis.set_minor_formatter(_BetweenPowers())
    if drawing.x_scale == "log":
        axes.xaxis.set_major_formatter(FuncFormatter(power))
        axes.xaxis.set_minor_formatter(_BetweenPowers())
        if len(places) <= MOST_PLACES:
            axes.xaxis.set_major_locator(FixedLocator(sorted(places)))
            axes.xaxis.set_major_formatter(FuncFormatter(_placed))
            axes.xaxis.set_minor_locator(NullLocator())
    elif all(float(x).is_integer() for series in drawing.series for x in series.x):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    if drawing.percent:
        axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.margins(x=0.02)
    low, high = drawing.y_range
    axes.set_ylim(bottom=low, top=high)
    if low is None and high is not None and drawing.y_scale != "log":
        bottom, top = axes.get_ylim()  # which was raised: the lowest point keeps its distance from the axis
        axes.set_ylim(bottom=bottom - 0.03 * (top - bottom))
    if len(places) == 1 and drawing.x_scale != "log":
        # around a single epoch there are no 0.95 and 1.05
        (only,) = places
        axes.set_xlim(only - 0.5, only + 0.5)
    for mark in drawing.marks:
        _mark(axes, mark, theme)
    if legend and len(handles) > 1:
        # Outside, where no line can run behind it.
        axes.legend(handles, names, loc="center left", bbox_to_anchor=(1.01, 0.5), borderaxespad=0, handlelength=1.8)


class _BetweenPowers(LogFormatter):
    """Labels between powers of ten where an axis shows few of these: plain numbers."""

    def __call__(self, value: float, position: int | None = None) -> str:
        """Such as 0.3; nothing where the powers suffice."""
        return f"{value:g}" if super().__call__(value, position) else ""


def _placed(place: float, _: int) -> str:
    """0.0125, 100, 3,000."""
    return f"{place:,.0f}" if place >= 100 and place.is_integer() else f"{place:.3g}"


def in_percent(label: str) -> str:
    """The label of an axis whose numbers are per cent, which it says."""
    return label if "%" in label or not label else f"{label} (%)"


def _percent(share: float, _: int) -> str:
    return f"{100 * share:.6g}"


def power(value: float, _: int = 0) -> str:
    """10⁻⁴: written with letters, since formulas are switched off (see the theme)."""
    exponent = round(math.log10(value)) if value > 0 else 0
    if value <= 0 or not math.isclose(value, 10.0**exponent):
        return f"{value:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _has_lonely_point(y: "np.ndarray[Any, np.dtype[np.float64]]") -> bool:
    padded = np.concatenate([[False], np.isfinite(y), [False]])
    return bool((padded[1:-1] & ~padded[:-2] & ~padded[2:]).any())


def _mark(axes: Axes, mark: Mark, theme: Theme) -> None:
    axes.axvline(mark.x, color=theme.quiet, linewidth=1, linestyle=(0, (1, 2)))
    axes.annotate(
        printable(mark.label),
        (mark.x, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8.5,
        color=theme.quiet,
        annotation_clip=False,
    )


def bars(figure: Figure, drawing: Bars, theme: Theme) -> None:
    """Horizontal bars, the first on top, each with its value."""
    count = len(drawing.labels)
    figure.set_size_inches(WIDTH, 1.25 + 0.27 * max(count, 2))
    axes = figure.add_subplot()
    places = np.arange(count)
    values = np.array([np.nan if value is None else value for value in drawing.values], dtype=float)
    axes.barh(places, np.nan_to_num(values), height=0.68, color=theme.lines[0])
    ends, least = np.nan_to_num(values), float(np.nan_to_num(values).min(initial=0.0))
    if drawing.low is not None and drawing.high is not None:
        low, high = np.array(drawing.low), np.array(drawing.high)
        axes.hlines(places, low, high, color=theme.ink, linewidth=1.4)
        ends, least = np.fmax(ends, high), min(least, float(low.min(initial=0.0)))
    form = drawing.form or (".1%" if drawing.percent else ".4g")
    for place, value, end in zip(places, values, ends, strict=True):
        axes.annotate(
            shown(float(value), form).removesuffix("%").rstrip(),
            (end, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 0.8},
        )
    axes.set_yticks(places, [shortened(printable(label), _LONGEST_NAME) for label in drawing.labels])
    axes.set_ylim(count - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(in_percent(drawing.x_label) if drawing.percent else drawing.x_label)
    highest = float(ends.max()) if count else 1.0
    # Room on the right for the number at the end of the longest bar.
    axes.set_xlim(1.09 * least, (1.0 if drawing.percent else highest or 1.0) * 1.09)
    if drawing.form.endswith(".0f"):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if drawing.percent:
        axes.xaxis.set_major_formatter(FuncFormatter(_percent))
        axes.set_xticks(np.linspace(0, 1, 6))
    elif drawing.form.startswith(","):
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    if drawing.mark is not None:
        _mark(axes, Mark(drawing.mark.x, f"{drawing.mark.label} {shown(drawing.mark.x, form)}"), theme)


def reliability(figure: Figure, drawing: Reliability, theme: Theme) -> None:
    """Accuracy over confidence against the diagonal, and below how many images each bin holds."""
    figure.set_size_inches(6.2, 6.2)
    upper, lower = figure.subplots(2, sharex=True, height_ratios=[3.2, 1])
    left, right = np.array(drawing.edges[:-1]), np.array(drawing.edges[1:])
    width, centre = right - left, (left + right) / 2
    full = [i for i, n in enumerate(drawing.counts) if n]
    accuracy = _numbers(drawing.accuracy, full)
    confidence = _numbers(drawing.confidence, full)
    upper.plot([0, 1], [0, 1], color=theme.quiet, linewidth=1.2, linestyle=(0, (4, 3)), label="as sure as right")
    upper.bar(centre[full], accuracy, width[full] * 0.94, color=theme.lines[0], alpha=0.85, label="accuracy")
    upper.vlines(confidence, accuracy, confidence, color=theme.lines[1], linewidth=3.2, label="gap to the confidence")
    upper.plot(confidence, confidence, "o", color=theme.lines[1], markersize=3.6)
    upper.set_ylabel("accuracy (%)")
    upper.set_ylim(0, 1)
    upper.legend(loc="upper left", title=f"calibration error {shown(drawing.error, '.2%')}", alignment="left")
    lower.bar(centre, np.array(drawing.counts) / max(1, sum(drawing.counts)), width * 0.94, color=theme.quiet)
    lower.set_ylabel("images (%)")
    lower.set_xlabel("confidence: probability of the answer (%)")
    lower.set_xlim(0, 1)
    for axes in (upper, lower):
        axes.grid(axis="y")
        axes.xaxis.set_major_formatter(FuncFormatter(_percent))
        axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    figure.align_ylabels([upper, lower])


def _numbers(values: Sequence[float | None], places: Sequence[int]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([values[i] for i in places], dtype=float)


def scatter(figure: Figure, drawing: Scatter, theme: Theme) -> None:
    """Every point, both axes to the same scale; the clouds' middles are marked so that crowds can be read."""
    figure.set_size_inches(WIDTH, 6.0)
    axes = figure.add_subplot()
    crowded = sum(len(cloud.x) for cloud in drawing.clouds) > _CROWD
    area, alpha = (10, 0.45) if crowded else (20, 0.65)
    handles, names = [], []
    for number, cloud in enumerate(drawing.clouds):
        turn, place = divmod(number, len(theme.lines))
        colour = theme.lines[place]
        shape = _SHAPES[(place + turn) % len(_SHAPES)]
        axes.scatter(cloud.x, cloud.y, s=area, c=colour, marker=shape, alpha=alpha, linewidths=0, zorder=2)
        handles.append(axes.scatter([], [], s=34, c=colour, marker=shape, linewidths=0))
        names.append(shortened(printable(cloud.name), 30))
        if cloud.x:
            middle = np.median(cloud.x), np.median(cloud.y)
            axes.scatter(*middle, s=90, c=colour, marker=shape, edgecolors=theme.ink, linewidths=1.3, zorder=3)
    handles.append(axes.scatter([], [], s=60, facecolors="none", edgecolors=theme.ink, linewidths=1.3))
    names.append("median of a group")
    axes.set_xlabel(printable(drawing.x_label))
    axes.set_ylabel(printable(drawing.y_label))
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid()
    axes.legend(handles, names, loc="center left", bbox_to_anchor=(1.01, 0.5), borderaxespad=0, handletextpad=0.3)


def parallel(figure: Figure, drawing: Parallel, theme: Theme) -> None:
    """Every line across the axes, each of which has its own scale; the best in the colours' last shade."""
    count = len(drawing.axes)
    figure.set_size_inches(max(WIDTH, 1.7 * count), 4.6)
    axes = figure.add_subplot()
    last = [line[-1] for line in drawing.lines] or [0.0, 1.0]
    colours = ScalarMappable(Normalize(min(last), max(last)), SEQUENTIAL)
    for line, colour in zip(drawing.lines, colours.to_rgba(np.array(last)), strict=False):
        heights = [_share_of(axis, value) for axis, value in zip(drawing.axes, line, strict=True)]
        axes.plot(range(count), heights, color=colour, linewidth=1.5, alpha=0.85)
    for place, axis in enumerate(drawing.axes):
        axes.axvline(place, color=theme.ink, linewidth=1.0)
        for value, text in axis.ticks:
            axes.annotate(
                shortened(printable(text), 16),
                (place, _share_of(axis, value)),
                xytext=(4, 3),
                textcoords="offset points",
                fontsize=8.5,
                bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
            )
    axes.set_xticks(range(count), [shortened(printable(axis.label), _LONGEST_NAME) for axis in drawing.axes])
    axes.set_yticks([])
    axes.set_xlim(-0.15, count - 0.6)
    axes.set_ylim(-0.05, 1.1)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(axis="x", length=0)
    bar = figure.colorbar(colours, ax=axes, fraction=0.03, pad=0.01)
    bar.set_label(printable(drawing.label))
    bar.outline.set_visible(False)


def _share_of(axis: ParallelAxis, value: float) -> float:
    """Where a value lies along its axis, 0 … 1; in the middle of an axis without length."""
    return (value - axis.low) / (axis.high - axis.low) if axis.high > axis.low else 0.5


_FORM = ".4g"


def spans(figure: Figure, drawing: Spans, theme: Theme) -> None:
    """The first bar on top, each with its size at its end; the image's extent shaded behind them."""
    count = len(drawing.spans)
    figure.set_size_inches(8.0, 1.55 + 0.25 * max(count, 2))
    axes = figure.add_subplot()
    least, most = drawing.limits
    around = 0.02 * (most - least)
    names = []
    if drawing.extent is not None:
        axes.axvspan(*drawing.extent, color=theme.grid, linewidth=0, zorder=0)
        names.append(Patch(color=theme.grid, label=printable(drawing.extent_label)))
    names.insert(0, Patch(color=theme.lines[5 if theme.name == "light" else 0], label=printable(drawing.label)))
    outer, inner = names[0].get_facecolor(), theme.lines[0] if theme.name == "light" else "#1f6fa8"
    for place, span in enumerate(drawing.spans):
        low, high = max(span.low, least - around), min(span.high, most + around)
        # A bar without length would be invisible.
        axes.barh(place, max(high - low, 0.1 * around), left=low, height=0.7, color=outer, zorder=2)
        if span.inner is not None:
            start, end = max(span.inner[0], least - around), min(span.inner[1], most + around)
            axes.barh(place, max(end - start, 0.1 * around), left=start, height=0.34, color=inner, zorder=3)
        more = f" ({shown(float(span.inner[1] - span.inner[0]), _FORM)})" if span.inner is not None else ""
        axes.annotate(size_text(span) + more, (1, place), xycoords=("axes fraction", "data"), xytext=(5, 0),
                      textcoords="offset points", va="center", fontsize=8.5, annotation_clip=False)  # fmt: skip
    if any(span.inner is not None for span in drawing.spans) and drawing.inner_label:
        names.insert(1, Patch(color=inner, label=printable(drawing.inner_label)))
    axes.annotate("size", (1, 1), xycoords="axes fraction", xytext=(5, 3), textcoords="offset points", fontsize=8.5,
                  color=theme.quiet, va="bottom")  # fmt: skip
    axes.set_yticks(np.arange(count), [shortened(printable(span.label), 28) for span in drawing.spans])
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_xlim(least - around, most + around)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(printable(drawing.x_label))
    figure.legend(handles=names, loc="outside lower left", ncols=3)
