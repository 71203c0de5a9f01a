"""Reports and facts as JSON: NaN and infinity, which JSON has not, become null."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.characters import json_escaped
from cnnlab.core.files import write_whole
from cnnlab.view.blocks import Figure, Report, Section
from cnnlab.view.drawings import Drawing, Gallery
from cnnlab.view.interactive import Album, CellAlbum, Turntable
from cnnlab.view.scenes import Scene, Scenes

MOST_WRITTEN = 256
"""Cells of a map up to which their values are written, such as those of Grad-CAM at the layer's resolution."""


def plain(value: Any) -> Any:
    """`value` as what JSON knows: mappings, lists, text, numbers, true, false, null.

    Knows dataclasses, numpy's arrays and numbers, tensors, paths and sets besides.

    Raises: TypeError for anything else: an object's address is no fact.
    """
    match value:
        case None | bool() | str():
            return value
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else None
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case set() | frozenset():
            return [plain(item) for item in sorted(value)]
        case list() | tuple() | range():
            return [plain(item) for item in value]
        case Path():
            return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}")


def without(value: Any, *names: str) -> dict[str, Any]:
    """The fields of a dataclass in plain form, but for those that are named."""
    return {name: plain(item) for name, item in vars(value).items() if name not in names}


def text(value: Any, *, indent: int | None = 2, ascii_only: bool = False) -> str:
    """One JSON document, without a line end; letters of other scripts stay readable, control characters are escaped."""
    document = json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return json_escaped(document, ascii_only=ascii_only)


def document(report: Report) -> dict[str, Any]:
    """The report with every number that its figures show; of figures the shapes, of large maps the extent."""
    made: dict[str, Any] = {"title": report.title, "lead": report.lead}
    if report.summary:
        made["summary"] = plain(report.summary)
    return made | {"blocks": [_block(block) for block in report.blocks]}


def save(report: Report, path: Path) -> None:
    """The report's document as a file, written whole."""
    write_whole(path, text(document(report)) + "\n")


def _block(block: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": "picture" if isinstance(block, Figure) else type(block).__name__.lower()}
    if isinstance(block, Album):
        shots = [{"options": list(shot.options), "caption": shot.caption} for shot in block.shots]
        return {**made, **plain({"name": block.name, "title": block.title, "choices": block.choices}), "shots": shots}
    if isinstance(block, CellAlbum):
        named = {"name": block.name, "title": block.title, "labels": block.labels, "counts": block.counts}
        return {**made, **plain(named)}
    if isinstance(block, Turntable):
        return {**made, "name": block.name, "title": block.title, "views": block.views, "caption": block.caption}
    for field in dataclasses.fields(block):
        value = getattr(block, field.name)
        if field.name == "blocks":
            made["blocks"] = [_block(inner) for inner in value]
        elif isinstance(block, Section) and field.name == "key":
            made |= {"key": value} if value else {}
        elif isinstance(block, Figure) and field.name == "drawing":
            made["drawing"] = {"kind": type(value).__name__.lower(), **_drawing(value)}
        else:
            made[field.name] = plain(value)
    return made


def _drawing(drawing: Drawing) -> dict[str, Any]:
    match drawing:
        case Gallery():
            return without(drawing, "images") | {"shapes": [list(image.shape) for image in drawing.images]}
        case Scenes():
            return without(drawing, "scenes") | {"scenes": [_drawing(scene) for scene in drawing.scenes]}
        case Scene():
            return without(drawing, "image", "heat", "contours") | {
                "image_shape": None if drawing.image is None else list(drawing.image.shape),
                "heat": None if drawing.heat is None else _map(drawing.heat) | {"peak": plain(drawing.peak)},
                "absence": drawing.absence,
                "contours": [without(contour, "values") | _map(contour.values) for contour in drawing.contours],
            }
    return without(drawing)


def _map(values: NDArray[Any]) -> dict[str, Any]:
    """What there is to say of a map; all of its values only while they are few."""
    known = np.asarray(values[np.isfinite(values)], dtype=float)
    ends = {"min": known.min(), "max": known.max(), "sum": known.sum()} if known.size else {}
    written = {"values": values} if values.size <= MOST_WRITTEN else {}
    return {"shape": list(values.shape)} | {name: plain(item) for name, item in (ends | written).items()}
