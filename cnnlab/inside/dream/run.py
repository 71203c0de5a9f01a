"""`cnnlab visualize dream`: images made so that a channel or a class answers as strongly as it can."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, unknown
from cnnlab.core.files import write_whole
from cnnlab.inside.channels import channels_of
from cnnlab.inside.dream.maximise import (
    Channel,
    ClassScore,
    Dream,
    Objective,
    check_objective,
    maximise,
    score,
)
from cnnlab.inside.dream.report import DreamFacts, Dreamt
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.asked_data import counted
from cnnlab.network.network import Network
from cnnlab.network.numbered_batches import numbered_batches
from cnnlab.network.session import Session
from cnnlab.runs.images import fixed_sample
from cnnlab.stats.probabilities import class_probabilities

SAMPLE = 1000
"""Natural images that a dream is compared with."""
SURE = 5
"""Classes that the network is asked for at the end."""


def objectives(
    network: Network, *, layer: str | None = None, channel: str | None = None, classes: Sequence[str] = ()
) -> tuple[Objective, ...]:
    """What dreams are to be of: channels of a layer, or classes.

    Arguments:
        network: opened for images.
        layer: with `channel`, whose channels.
        channel: their numbers from 0, such as `3,7-9`.
        classes: names or numbers, in place of channels.

    Raises:
        RequestError: for neither, for both, for half of the first, and for what is not there.
    """
    if classes and (layer is not None or channel is not None):
        raise RequestError("a dream is of channels (`layer`, `channel`) or of a class, not of both")
    if not classes and (layer is None or channel is None):
        raise RequestError("a dream needs `layer` with `channel`, such as `layer` conv_bn_act2 `channel` 3, or a class")
    found: list[Objective] = [ClassScore(_class_number(name, network.classes)) for name in classes]
    if layer is not None and channel is not None:
        found += [Channel(layer, number) for number in channels_of(channel)]
    model = network.model
    blank = torch.zeros(1, *network.shape, device=network.device)
    for one in found:
        check_objective(model, one)
        with undisturbed(model), torch.no_grad():
            score(model, blank, one)
    return tuple(found)


def _class_number(text: str, classes: Sequence[str]) -> int:
    if text in classes:
        return list(classes).index(text)
    if text.isdecimal() and (not classes or int(text) < len(classes)):
        return int(text)
    raise RequestError(unknown("class", text, classes or ("a number from 0",)))


def dreams(
    network: Network,
    wanted: Sequence[Objective],
    session: Session,
    *,
    steps: int = 256,
    learning_rate: float = 0.1,
) -> Iterator[Advance | DreamFacts]:
    """Make an image for each objective by gradient ascent, beside what the network's own images reach.

    Arguments:
        network: opened for images.
        wanted: what is to answer strongly, as `objectives` gives it.
        session: the seed (the same gives the same image, to the bit on a CPU), and where data sets lie.
        steps: of each ascent.
        learning_rate: the size of a step.

    Yields:
        How far the ascents are; at last the facts, with each image [h, w, channels] of bytes.

    Raises:
        WorkError: where nothing moves the score.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> session = Session(device_name="cpu")
        >>> network = open_network("torchvision:squeezenet1_1", session, size="64", for_images=True)
        >>> wanted = objectives(network, layer="features.0", channel="3")
        >>> *_, facts = dreams(network, wanted, session, steps=4)
        >>> facts.dreams[0].label, facts.dreams[0].image.shape
        ('channel 3 of features.0', (64, 64, 3))
    """
    seed = session.seed
    channels, height, width = network.shape
    statistics = network.preparation.statistics
    natural, samples = _natural(network, wanted, session)
    made: list[Dreamt] = []
    for number, one in enumerate(wanted):
        ascent = maximise(
            network.model,
            one,
            (channels, height, width),
            mean=statistics.mean,
            std=statistics.std,
            steps=steps,
            learning_rate=learning_rate,
            seed=seed,
        )
        for fact in ascent:
            if isinstance(fact, Advance):
                yield replace(fact, done=number * steps + fact.done, total=len(wanted) * steps)
            else:
                made.append(_dreamt(network, fact, natural[number]))
    yield DreamFacts(
        model=network.name,
        weights=network.weights,
        trained=network.trained,
        dreams=tuple(made),
        samples=samples,
        steps=steps,
        learning_rate=learning_rate,
        seed=seed,
    )


def _dreamt(network: Network, dream: Dream, natural: float | None) -> Dreamt:
    objective, names = dream.objective, network.classes
    if isinstance(objective, Channel):
        label = str(objective)
        stem = f"{objective.layer}-{objective.channel}"
    else:
        label = names[objective.index] if names else str(objective)
        stem = f"class-{objective.index}"
    image = (255 * dream.image).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
    return Dreamt(
        label, stem, image, dream.scores, dream.start, dream.end, dream.contrast, natural, _seen(network, dream)
    )


def _seen(network: Network, dream: Dream) -> tuple[tuple[str, float], ...]:
    """What the network says to the finished image: its likeliest classes; nothing where it gives no class scores."""
    model, names = network.model, network.classes
    first = next(model.parameters(), torch.empty(0))
    with undisturbed(model), torch.no_grad():
        logits = model(dream.normalised[None].to(first.device, first.dtype))
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        return ()
    probabilities = class_probabilities(logits.float(), network.activation)[0]
    values, places = probabilities.topk(min(SURE, len(probabilities)))
    pairs = zip(values.tolist(), places.tolist(), strict=True)
    return tuple((names[place] if names else str(place), value) for value, place in pairs)


def _natural(network: Network, wanted: Sequence[Objective], session: Session) -> tuple[list[float | None], str | None]:
    """The largest score of each objective among the network's own images, and which those are."""
    if not network.has_images:
        return [None] * len(wanted), None
    part, dataset = network.held_out(session.place)
    if dataset.shape != network.shape:
        return [None] * len(wanted), None
    sample = fixed_sample(dataset, SAMPLE, network.seed, "dream")
    model = network.model
    best = [-torch.inf] * len(wanted)
    with undisturbed(model), torch.no_grad():
        for images, _, _ in numbered_batches(network, sample):
            for number, one in enumerate(wanted):
                best[number] = max(best[number], float(score(model, images, one).max()))
    return list(best), counted(len(sample), network.named_part(part))


def save_image(pixels: NDArray[np.uint8], path: Path) -> Path:
    """Write `pixels` [h, w, 1 or 3] as a PNG of that size, for whatever comes after; its path."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    write_whole(path, buffer.getvalue())
    return path
