"""A figure in words, for those who do not see it."""

import math
from collections.abc import Sequence

import numpy as np

from cnnlab.view.blocks import Figure, shown
from cnnlab.view.drawings import (
    Bars,
    Curves,
    Drawing,
    Gallery,
    Lattice,
    Matrix,
    Panels,
    Parallel,
    Reliability,
    Relief,
    Scatter,
    Spans,
    Surface,
    Surfaces,
)
from cnnlab.view.scenes import Scene, Scenes
from cnnlab.view.sketches import lattice_lines, size_text

_MOST = 8


def description(figure: Figure) -> str:
    """What kind of figure it is and what stands out in it."""
    return f"{figure.title}. {_described(figure.drawing)}"


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
            words = _some([caption.replace("\n", " ") for caption in drawing.captions])
            return f"{len(drawing.images)} small images" + (f": {words}." if words else ".")
        case Bars():
            form = drawing.form or (".1%" if drawing.percent else ".4g")
            pairs = [f"{n} {shown(v, form)}" for n, v in zip(drawing.labels, drawing.values, strict=True)]
            return f"Bars of {drawing.x_label}: {_some(pairs)}."
        case Reliability():
            return f"Accuracy over confidence in {len(drawing.counts)} bins; error {shown(drawing.error, '.2%')}."
        case Scene():
            return _scene(drawing)
        case Scenes():
            panels = (_panel(drawing, place) for place in range(min(len(drawing.scenes), _MOST)))
            rest = " …" if len(drawing.scenes) > _MOST else ""
            return f"{len(drawing.scenes)} panels in {drawing.columns} columns. " + " ".join(panels) + rest
        case Spans():
            return _spans(drawing)
        case Scatter():
            groups = _some([f"{cloud.name} ({len(cloud.x)})" for cloud in drawing.clouds])
            return f"Points over {drawing.x_label} and {drawing.y_label}: {groups}."
        case Lattice():
            rows, columns = drawing.values.shape
            grid = f" Row by row: {'; '.join(lattice_lines(drawing))}." if max(rows, columns) <= _MOST else ""
            return f"Grid of {rows} × {columns} cells, of which {int(drawing.read.sum())} are read.{grid}"
        case Parallel():
            names = _some([axis.label for axis in drawing.axes])
            return f"{len(drawing.lines)} lines across {len(drawing.axes)} axes ({names}), coloured by {drawing.label}."
        case Surfaces():
            return " ".join(_heights(surface, drawing.label) for surface in drawing.surfaces)
        case Relief():
            return f"As a body. {_heights(drawing.surface, drawing.label)}"


def _heights(surface: Surface, label: str) -> str:
    finite = np.where(np.isfinite(surface.heights), surface.heights, np.nan)
    row, column = np.unravel_index(int(np.nanargmin(finite)), finite.shape)
    low, high = shown(float(np.nanmin(finite)), ".3g"), shown(float(np.nanmax(finite)), ".3g")
    name = f"{surface.title}: " if surface.title else ""
    return (
        f"{name}{label} over {surface.x_label} and {surface.y_label}, from {low} at ({surface.x[column]:.3g}, "
        f"{surface.y[row]:.3g}) to {high}."
    )


def _some(words: Sequence[str]) -> str:
    """The first of them, and whether there are more."""
    return ", ".join(words[:_MOST]) + (", …" if len(words) > _MOST else "")


def _panel(drawing: Scenes, place: int) -> str:
    row, column = divmod(place, drawing.columns)
    names = [
        drawing.row_labels[row] if drawing.row_labels else "",
        drawing.column_titles[column] if drawing.column_titles else "",
        drawing.scenes[place].title,
        drawing.scenes[place].caption,
    ]
    return f"{', '.join(filter(None, names)).replace(chr(10), ' ') or place + 1}: {_scene(drawing.scenes[place])}"


def _scene(scene: Scene) -> str:
    height, width = scene.size
    said = [f"{'Image' if scene.image is not None else 'Empty paper'} of {height} × {width} {scene.unit}"]
    peak = scene.peak
    if peak is not None:
        value = shown(peak.value, ".3g")
        said.append(f"{scene.heat_label}, strongest with {value} at row {peak.row:.3g}, column {peak.column:.3g}")
    elif scene.absence:
        said.append(f"{scene.heat_label}: {scene.absence}")
    said += [
        f"box {box.label}: rows {box.first_row} to {box.last_row}, columns {box.first_column} to {box.last_column}"
        for box in scene.boxes[:_MOST]
    ]
    said += [f"contour {contour.label}" for contour in scene.contours[:_MOST]]
    said += [
        f"{point.label or 'point'} at row {point.row:g}, column {point.column:g}" for point in scene.points[:_MOST]
    ]
    return "; ".join(said) + "."


def _spans(drawing: Spans) -> str:
    ends = [drawing.spans[0]] + ([drawing.spans[-1]] if len(drawing.spans) > 1 else [])
    named = " to ".join(f"{span.label} with {size_text(span)}" for span in ends)
    return f"{len(drawing.spans)} bars of the {drawing.label} over {drawing.x_label}, from {named}."


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
