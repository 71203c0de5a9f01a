"""Spans: one horizontal bar per row over a common axis."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cnnlab.core.characters import printable, shortened
from cnnlab.view.blocks import shown
from cnnlab.view.drawings import Spans
from cnnlab.view.png.theme import Theme
from cnnlab.view.sketches import size_text

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
