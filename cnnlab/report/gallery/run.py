"""The images of a gallery and their maps: right and wrong answers, by several methods, at two layers."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from cnnlab.attribution.attribute import attribute
from cnnlab.attribution.catalog import METHODS
from cnnlab.attribution.chosen import unasked
from cnnlab.attribution.layers import choose_layer
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.network.network import RunNetwork
from cnnlab.report.gallery.report import TARGETS, Explained, Shown
from cnnlab.walk.layouts import Layouts

RIGHT, WRONG = 4, 4
"""How many images of each kind."""


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


def gallery(
    network: RunNetwork, dataset: Dataset, logits: Tensor, indices: Tensor
) -> tuple[list[Shown], list[Explained]]:
    """Make the maps of chosen images: for the answer, and for the truth where that is another class.

    Arguments:
        network: of a run.
        dataset: the images that `indices` chooses from.
        logits: of all of them, [n, classes].
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
            chosen.images, truths, answers, logits[indices].softmax(1).amax(1), strict=True
        )
    ]
    inputs = network.preparation.inputs(chosen.images.to(network.device))
    targets = torch.stack([answers, truths], dim=1).to(network.device)
    maps = list(_maps(network, inputs, targets))
    return shown, [one for one in maps if one.target == "answer" or answers[one.number] != truths[one.number]]


def _maps(network: RunNetwork, inputs: Tensor, targets: Tensor) -> Iterator[Explained]:
    for layer, wanted, layouts in _asked(network):
        layers = (layer,) if layer else "auto"
        for found in attribute(network.model, inputs, targets, methods=wanted, layers=layers, layouts=layouts):
            at = layer if METHODS[found.method].uses_layer else None
            for image in range(len(inputs)):
                for place, target in enumerate(TARGETS):
                    values = found.maps[image, place].cpu().numpy()
                    yield Explained(image, found.method, at, target, float(found.scores[image, place]), values)


def of_pixels(methods: Sequence[str]) -> list[str]:
    """Methods that need no layer, as in a network of dense layers there is none with places."""
    return [name for name in methods if not METHODS[name].uses_layer]


def _asked(network: RunNetwork) -> Iterator[tuple[str | None, Sequence[str], Layouts | None]]:
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
