"""Reports and facts as JSON: NaN and infinity, which JSON has not, become null."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab.core.files import write_whole
from cnnlab.reports.blocks import Picture, Report
from cnnlab.reports.drawings import Gallery
from cnnlab.reports.interactive import Album, CellAlbum


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


def text(value: Any, *, indent: int | None = 2) -> str:
    """One JSON document, without a line end; letters of other scripts stay readable."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def document(report: Report) -> dict[str, Any]:
    """The report with every number that its pictures show; of galleries the captions, not the pixels."""
    return {"title": report.title, "lead": report.lead, "blocks": [_block(block) for block in report.blocks]}


def save(report: Report, path: Path) -> None:
    """The report's document as a file, written whole."""
    write_whole(path, (text(document(report)) + "\n").encode())


def _block(block: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": type(block).__name__.lower()}
    if isinstance(block, Album):
        shots = [{"options": list(shot.options), "caption": shot.caption} for shot in block.shots]
        return made | plain({"name": block.name, "title": block.title, "choices": block.choices}) | {"shots": shots}
    if isinstance(block, CellAlbum):
        return made | plain({"name": block.name, "title": block.title, "labels": block.labels, "counts": block.counts})
    for field in dataclasses.fields(block):
        value = getattr(block, field.name)
        if field.name == "blocks":
            made["blocks"] = [_block(inner) for inner in value]
        elif isinstance(block, Picture) and field.name == "drawing":
            made["drawing"] = {"kind": type(value).__name__.lower(), **_drawing(value)}
        else:
            made[field.name] = plain(value)
    return made


def _drawing(drawing: Any) -> dict[str, Any]:
    if isinstance(drawing, Gallery):
        fields = {name: value for name, value in vars(drawing).items() if name != "images"}
        return {**plain(fields), "shapes": [list(image.shape) for image in drawing.images]}
    return dict(plain(drawing))
