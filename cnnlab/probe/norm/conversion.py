"""A trained network whose batch norms become group norms: the one-line swap, what it costs, and a short fine-tuning."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.config.config import Config
from cnnlab.config.norms import with_norm
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.models.failure import told
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.session import Session
from cnnlab.probe.norm.answers import right_answers
from cnnlab.probe.norm.short_training import short_training
from cnnlab.probe.norm.twins import with_group_norms
from cnnlab.runs.images import TrainingImages
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean
from cnnlab.training.setup import TrainingSetup

RATE = 0.1
"""Of the fine-tuning, in learning rates of the training."""


@dataclass(frozen=True)
class Swapped:
    """One layer."""

    name: str
    channels: int
    groups: int

    @property
    def is_instance(self) -> bool:
        """Whether there are as many groups as channels: then it is an instance norm."""
        return self.groups == self.channels


@dataclass(frozen=True)
class ConversionFacts:
    """The network before and after; accuracies with their intervals over the images, 0 … 1."""

    layers: tuple[Swapped, ...]
    asked: int
    """Groups, at most."""
    before: MeanInterval
    after: MeanInterval
    tuned: MeanInterval | None = None
    """After some steps of fine-tuning."""
    steps: int = 0
    """Of the fine-tuning."""
    images: int = 0


def conversion(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, "n"],
    *,
    groups: int,
    max_batch: int,
    seed: int,
) -> ConversionFacts:
    """Turn every batch norm into a group norm with the same γ and β, and ask again.

    Arguments:
        model: left as it is.
        images: prepared, on the device.
        labels: their classes.
        groups: at most; as many as divide a layer's channels, too.
        max_batch: images that pass at a time.
        seed: of the intervals.

    Returns:
        Accuracy before and after, without any training.

    Raises:
        RequestError: for a network without batch norms of maps, and for what it raises.
    """
    twin, changed = with_group_norms(model, groups)

    def accuracy(one: nn.Module) -> MeanInterval:
        with told(), undisturbed(one):
            return bootstrap_mean(right_answers(one, images, labels, max_batch=max_batch), seed=seed)

    layers = tuple(Swapped(*one) for one in changed)
    return ConversionFacts(layers, groups, accuracy(model), accuracy(twin), images=len(images))


def tuned_conversion(
    begun: ConversionFacts,
    model: nn.Module,
    config: Config,
    session: Session,
    halves: TrainingImages,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, "n"],
    *,
    steps: int,
) -> Iterator[Advance | ConversionFacts]:
    """Fine-tune the network with group norms for some steps, at a tenth of the learning rate.

    Arguments:
        begun: of `conversion`, with groups that divide the channels of every layer.
        model: trained by `config`.
        config: of a network made of layers.
        session: the device.
        halves: the training images.
        images, labels: as of `conversion`.
        steps: of the optimizer.

    Yields:
        How far it is, and at last the facts with the accuracy after the steps.

    Raises:
        RequestError: for a network in Python.
    """
    other = with_norm(config, component("layer", "group_norm", groups=begun.asked))

    def begin(setup: TrainingSetup) -> None:
        _take_over(setup.network, model)

    yield Advance("fine-tuning", 0, steps)
    _, setup = short_training(other, session, halves, steps=steps, rate=RATE, begin=begin)
    with undisturbed(setup.network):
        right = right_answers(setup.network, images, labels, max_batch=session.max_batch)
    yield replace(begun, tuned=bootstrap_mean(right, seed=session.seed), steps=steps)


def _take_over(network: nn.Module, model: nn.Module) -> None:
    """Give a network the parameters of another one of the same layers, in their order."""
    ours, theirs = list(network.parameters()), list(model.parameters())
    if [one.shape for one in ours] != [one.shape for one in theirs]:
        raise RequestError("with group norms the network has other parameters, and cannot begin with those it has")
    with torch.no_grad():
        for own, other in zip(ours, theirs, strict=True):
            own.copy_(other)
