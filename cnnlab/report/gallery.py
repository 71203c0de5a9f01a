"""The images on which the network errs or doubts, with their maps, of which one is looked at at a time.

Right and wrong answers, by several methods, at two layers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.catalog import METHODS, unasked
from cnnlab.attribution.layers import choose_layer
from cnnlab.core.characters import per_cent
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.network.network import Network
from cnnlab.stats.probabilities import class_probabilities
from cnnlab.view.interactive import Album, Choice, Shot
from cnnlab.view.scenes import Scene
from cnnlab.walk.layouts import Layouts


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
RIGHT, WRONG = 4, 4
"""How many images of each kind."""


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
    said += f"{per_cent(image.probability)}; it is {image.truth}."
    if not (one.map > 0).any() and one.layer is not None:
        said += " No positive evidence."
    return said


def chosen_images(answers: Tensor, labels: Tensor) -> Tensor:
    """The numbers of the first right and the first wrong answers, no class twice while there are others."""
    chosen: list[int] = []
    for wanted, count in ((answers == labels, RIGHT), (answers != labels, WRONG)):
        found = wanted.nonzero().flatten().tolist()
        seen: set[int] = set()
        distinct = [i for i in found if not (int(labels[i]) in seen or seen.add(int(labels[i])))]  # type: ignore[func-returns-value]
        others = [i for i in found if i not in distinct]
        chosen += [*distinct, *others][:count]
    return torch.tensor(chosen, dtype=torch.int64)


def gallery(network: Network, dataset: Dataset, logits: Tensor, indices: Tensor) -> tuple[list[Shown], list[Explained]]:
    """Make the maps of chosen images: for the answer, and for the truth where that is another class.

    Arguments:
        network: whose classes have names.
        dataset: the images that `indices` chooses from.
        logits: of all of them, [n, classes], of two classes or more.
        indices: as of `chosen_images`, int64 [k].

    Returns:
        The k images, and their maps by every method of the gallery at up to two layers.
    """
    chosen = dataset.take(indices)
    answers, truths = logits[indices].argmax(1), chosen.labels
    shown = [
        Shown(
            np.ascontiguousarray(image.permute(1, 2, 0).numpy()),
            network.classes[int(truth)],
            network.classes[int(answer)],
            float(probability),
        )
        for image, truth, answer, probability in zip(
            chosen.images, truths, answers, class_probabilities(logits[indices]).amax(1), strict=True
        )
    ]
    inputs = network.preparation.inputs(chosen.images.to(network.device))
    targets = torch.stack([answers, truths], dim=1).to(network.device)
    maps = list(_maps(network, inputs, targets))
    return shown, [one for one in maps if one.target == "answer" or answers[one.number] != truths[one.number]]


def _maps(network: Network, inputs: Tensor, targets: Tensor) -> Iterator[Explained]:
    for layer, wanted, layouts in _asked(network):
        layers = (layer,) if layer else "auto"
        for found in attribute(
            network.model,
            inputs,
            targets,
            methods=wanted,
            layers=layers,
            layouts=layouts,
            activation=network.activation,
        ):
            at = layer if METHODS[found.method].uses_layer else None
            for image in range(len(inputs)):
                for place, target in enumerate(TARGETS):
                    values = found.maps[image, place].cpu().numpy()
                    yield Explained(image, found.method, at, target, float(found.scores[image, place]), values)


def of_pixels(methods: Sequence[str]) -> list[str]:
    """Methods that need no layer, as in a network of dense layers there is none with places."""
    return [name for name in methods if not METHODS[name].uses_layer]


def _asked(network: Network) -> Iterator[tuple[str | None, Sequence[str], Layouts | None]]:
    """Layers and what is asked of each, with the layouts of all; methods that explain pixels are asked once."""
    try:
        choice = choose_layer(network.model, network.shape)
    except RequestError:
        yield None, of_pixels(unasked("gallery")), None
        return
    for layer in _layers(choice.name, [candidate.name for candidate in choice.candidates if candidate.post_activation]):
        wanted = [name for name in unasked("gallery") if METHODS[name].uses_layer or layer == choice.name]
        yield layer, wanted, choice.layouts


def _layers(last: str, candidates: Sequence[str]) -> tuple[str, ...]:
    """The layer that is explained by default, and one in the middle of the network."""
    before = candidates[: candidates.index(last)] if last in candidates else list(candidates)
    return (last, before[len(before) // 2]) if before else (last,)
