"""`cnnlab report-card`: one image, what the network says of it, and four lenses on why, on one card."""

import numpy as np
import torch
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.catalog import methods_for_head
from cnnlab.attribution.layers import choose_layer
from cnnlab.core.errors import RequestError, unknown
from cnnlab.data.dataset import Dataset
from cnnlab.fit.device import evaluating
from cnnlab.models.filters import convolution_filters
from cnnlab.network.forward import capture_outputs
from cnnlab.network.network import Network
from cnnlab.report.card.report import Card, Lenses
from cnnlab.stats.probabilities import class_logits, class_probabilities
from cnnlab.trust.audit.evidence import locate
from cnnlab.trust.sanity.similarity import spearman
from cnnlab.walk.layouts import Layouts

PICKS = ("first-correct", "wrong")
"""Images by what the network says of them; a number and a class name choose, too."""

_NONE_SUCH = {"first-correct": "no image of this part is answered rightly", "wrong": "each image is answered rightly"}

BATCH = 500


def report_card(
    network: Network, dataset: Dataset, *, split: str, pick: str = "first-correct", random_weights: bool = False
) -> Card:
    """Look at one image through filters, a feature map, saliency and a class activation map.

    Arguments:
        network: opened for images.
        dataset: the images to pick from, such as `network.part(split, session.place)`.
        split: the name of that part, for the card's words.
        pick: `first-correct`, `wrong`, the number of an image from 0, or the name of a class.
        random_weights: whether the image goes through the same network before it learned anything.

    Returns:
        All that the card shows; `report_card_report` draws it.

    Raises:
        RequestError: where no image is meant, and for random weights of a network that cannot be made anew.

    Example:
        session = Session()
        network = open_run("cifar", session)
        report_card(network, network.part("validation", session.place), split="validation", pick="wrong").answer
    """
    network = network.named_by(dataset)
    if random_weights and network.fresh is None:
        raise RequestError(f"`random_weights`: {network.name} is given as it is, and cannot be made anew")
    index, logits = _picked(network, dataset, pick)
    answer = _answer(logits)
    image = dataset.images[index : index + 1]
    model = network.model
    learned = _lenses(model, network, image, answer)
    shown, likeness = learned, None
    if random_weights and network.fresh is not None:
        model = network.fresh(network.seed).to(network.device)
        with evaluating(model):
            logits = model(network.preparation.inputs(image.to(network.device)))[0].float().cpu()
        shown = _lenses(model, network, image, answer)
        likeness = {
            "saliency": float(spearman(shown.saliency.abs()[None], learned.saliency.abs()[None])[0]),
            "evidence": float(spearman(shown.evidence[None], learned.evidence[None])[0]),
        }
        answer = _answer(logits)
    masks = None if dataset.masks is None else dataset.masks[index : index + 1].cpu()
    (located,) = locate(shown.evidence[None], masks=masks, size=(network.shape[1], network.shape[2]), seed=0)
    first, filters = convolution_filters(model)
    return Card(
        run=network.name,
        split=split,
        index=index,
        image=np.ascontiguousarray(image[0].permute(1, 2, 0).cpu().numpy()),
        truth=network.classes[int(dataset.labels[index])],
        answer=network.classes[answer],
        probability=float(class_probabilities(logits[None], network.activation)[0, answer]),
        filters=filters,
        first=first,
        lenses=shown,
        located=located,
        random=random_weights,
        likeness=likeness,
    )


def _answer(logits: Tensor) -> int:
    """The likeliest class, from the logits of one image."""
    return int(class_logits(logits[None]).argmax())


def _lenses(model: nn.Module, network: Network, image: Tensor, target: int) -> Lenses:
    inputs = network.preparation.inputs(image.to(network.device))
    choice = choose_layer(model, network.shape)
    method = methods_for_head(choice.head.kind)[0]
    classes = torch.tensor([target], device=inputs.device)
    cam, gradient = attribute(model, inputs, classes, methods=(method, "gradient"), layers=choice)
    middle = _middle(model, choice.layouts)
    maps = choice.layouts.of(middle).maps(capture_outputs(model, inputs, [middle])[middle])
    feature = maps[0].float().mean(0).cpu()
    return Lenses(feature, middle, gradient.maps[0].abs().cpu(), cam.maps[0].cpu(), method, choice.name)


def _middle(model: nn.Module, layouts: Layouts) -> str:
    """The convolution in the middle of the network: of six the fourth.

    Raises: RequestError for a network without convolutions.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d) and layouts.at(name)]
    if not names:
        raise RequestError("the network has no convolution whose feature maps could be shown")
    middle: str = names[len(names) // 2]
    return middle


def _picked(network: Network, dataset: Dataset, pick: str) -> tuple[int, Tensor]:
    """The image's number and the network's logits for it."""
    if pick.isdecimal():
        index = int(pick)
        if index >= len(dataset):
            raise RequestError(f"`pick` is {index}; there are images 0 to {len(dataset) - 1}")
        return index, _logits(network, dataset.images[index : index + 1])[0]
    if pick not in PICKS and pick not in network.classes:
        raise RequestError(f"`pick`: {unknown('image or class', pick, [*PICKS, *network.classes])}")
    size = BATCH if network.config is not None else network.batch_size
    for begin in range(0, len(dataset), size):
        logits = _logits(network, dataset.images[begin : begin + size])
        answers, labels = class_logits(logits).argmax(1), dataset.labels[begin : begin + size].cpu()
        right = answers == labels
        if pick in network.classes:
            fits = labels == network.classes.index(pick)
        else:
            fits = right if pick == "first-correct" else ~right
        if fits.any():
            place = int(fits.nonzero()[0])
            return begin + place, logits[place]
    raise RequestError(f"`pick` is {pick}, and {_NONE_SUCH.get(pick, 'no image of this part is of that class')}")


def _logits(network: Network, images: Tensor) -> Tensor:
    with evaluating(network.model):
        logits: Tensor = network.model(network.preparation.inputs(images.to(network.device)))
    return logits.float().cpu()
