"""Images with the evidence for an answer over them, of which one is looked at at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlab.attribution.catalog import METHODS
from cnnlab.view.interactive import Album, Choice, Shot
from cnnlab.view.scenes import Scene


@dataclass(frozen=True, eq=False)
class Explained:
    """One map of one image."""

    number: int
    """The number of the image among those of the gallery."""
    method: str
    layer: str | None
    """None for a method that explains pixels."""
    target: str
    """"answer" or "truth"."""
    score: float
    """The logit."""
    map: NDArray[np.float32]
    """(h', w'), signed, at its own resolution."""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Shown:
    """An image of the gallery."""

    image: NDArray[np.uint8]
    """[h, w, 1 or 3]."""
    truth: str
    answer: str
    probability: float
    """Probability of the answer, 0 … 1."""


TARGETS = ("answer", "truth")


def gallery_album(images: Sequence[Shown], maps: Sequence[Explained]) -> Album:
    """Every map over its image; image, method, layer and target are chosen."""
    methods = tuple(dict.fromkeys(one.method for one in maps))
    layers = tuple(dict.fromkeys(one.layer for one in maps if one.layer is not None))
    names = tuple(
        f"{number} {p.truth}" if p.truth == p.answer else f"{number} {p.truth} taken for {p.answer}"
        for number, p in enumerate(images, 1)
    )
    choices = [Choice("image", names), Choice("method", tuple(METHODS[name].label for name in methods))]
    choices += [Choice("layer", layers)] if layers else []
    choices.append(Choice("evidence for", ("the answer", "the truth")))
    shots = []
    for one in maps:
        image = images[one.number]
        right = image.truth == image.answer
        target = None if right else TARGETS.index(one.target)
        layer = [layers.index(one.layer) if one.layer is not None else None] if layers else []
        place = (one.number, methods.index(one.method), *layer, target)
        shots.append(Shot(place, _scene(image, one), _caption(image, one)))
    return Album(
        "gallery",
        "Gallery",
        tuple(choices),
        tuple(shots),
        "Bright is strong; each map has its own scale, from no evidence to its strongest place. Methods that explain "
        "pixels do not depend on the layer; where the answer is right, answer and truth are the same.",
    )


def _scene(image: Shown, one: Explained) -> Scene:
    height, width = image.image.shape[:2]
    shown = np.abs(one.map) if one.layer is None else one.map.clip(min=0)
    return Scene(
        (height, width),
        image=image.image,
        heat=shown.astype(np.float64),
        heat_label="evidence",
        heat_scale="positive",
        interpolation="nearest" if one.layer is None else "bilinear",
    )


def _caption(image: Shown, one: Explained) -> str:
    what = METHODS[one.method]
    where = f" at {one.layer}" if one.layer else ""
    target = image.answer if one.target == "answer" else image.truth
    said = f"{what.label}{where} for {target} (score {one.score:.2f}). The network says {image.answer}, "
    said += f"{image.probability:.0%}; it is {image.truth}."
    if not (one.map > 0).any() and one.layer is not None:
        said += " No positive evidence."
    return said + (f" {one.note}" if one.note else "")
