"""A picture in words, for those who do not see it."""

import math
from collections.abc import Sequence

import numpy as np

from cnnlab.reports.blocks import Picture, shown
from cnnlab.reports.drawings import Bars, Curves, Drawing, Gallery, Matrix, Panels, Reliability

_MOST = 8


def description(picture: Picture) -> str:
    """What kind of picture it is and what stands out in it."""
    return f"{picture.title}. {_described(picture.drawing)}"


def _described(drawing: Drawing) -> str:
    match drawing:
        case Curves():
            lines = "; ".join(_line(series.name, series.y, drawing.percent) for series in drawing.series[:_MOST])
            marks = "".join(f" Marked: {mark.label}." for mark in drawing.marks if mark.label)
            return f"Curves of {drawing.y_label} over {drawing.x_label}: {lines}.{marks}"
        case Panels():
            return " ".join(_described(panel) for panel in drawing.panels)
        case Matrix():
            rows, columns = drawing.values.shape
            grid = f"Grid of {rows} rows ({drawing.row_title}) and {columns} columns ({drawing.column_title})."
            return grid + _largest(drawing)
        case Gallery():
            words = ", ".join(caption.replace("\n", " ") for caption in drawing.captions[:_MOST])
            rest = ", …" if len(drawing.captions) > _MOST else ""
            return f"{len(drawing.images)} small pictures" + (f": {words}{rest}." if words else ".")
        case Bars():
            form = drawing.form or (".1%" if drawing.percent else ".4g")
            pairs = list(zip(drawing.labels, drawing.values, strict=True))[:_MOST]
            rest = ", …" if len(drawing.labels) > _MOST else ""
            return f"Bars of {drawing.x_label}: " + ", ".join(f"{n} {shown(v, form)}" for n, v in pairs) + rest + "."
        case Reliability():
            return f"Accuracy over confidence in {len(drawing.counts)} bins; error {shown(drawing.error, '.2%')}."


def _line(name: str, values: Sequence[float | None], percent: bool) -> str:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return f"{name} not measured"
    form = ".1%" if percent else ".3g"
    return f"{name} from {shown(known[0], form)} to {shown(known[-1], form)}"


def _largest(drawing: Matrix) -> str:
    """The largest cells off the diagonal, where rows and columns are the same things."""
    if drawing.row_labels != drawing.column_labels or drawing.values.size == 0:
        return ""
    off = np.array(drawing.values, dtype=float)
    np.fill_diagonal(off, 0)
    places = np.argsort(-off, axis=None, kind="stable")[:3]
    found = [divmod(int(place), off.shape[1]) for place in places]
    named = [
        f"{drawing.row_labels[r]} as {drawing.column_labels[c]} {format(drawing.values[r, c].item(), drawing.form)}"
        for r, c in found
        if off[r, c] > 0
    ]
    return f" Largest off the diagonal: {', '.join(named)}." if named else ""
