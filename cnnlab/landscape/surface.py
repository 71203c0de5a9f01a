"""The loss of a network at other weights than its own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnlab.landscape.directions import Weights
from cnnlab.models.undisturbed import undisturbed
from cnnlab.stats.probabilities import class_logits


@dataclass(frozen=True, eq=False)
class Plane:
    """Weights as places in a plane: the origin is at (0, 0)."""

    origin: Weights
    across: Weights
    along: Weights

    def at(self, across: float, along: float) -> dict[str, Tensor]:
        """The weights at a place."""
        return {
            name: one + across * self.across[name] + along * self.along[name] if across or along else one
            for name, one in self.origin.items()
        }


@dataclass(frozen=True, eq=False)
class Images:
    """Images that the loss is the mean over."""

    inputs: Float[Tensor, "n c h w"]
    """Normalised, on the device."""
    labels: Int64[Tensor, "n"]
    batch: int
    """How many go through the network at a time, at most."""
    classes: int = 2
    """How many there are to choose from."""
    augmented: tuple[Float[Tensor, "k c h w"], ...] = ()
    """The same images in batches as the network's training saw them, normalised; none where it saw them as they are."""

    @property
    def seen(self) -> tuple[Float[Tensor, "k c h w"], ...]:
        """The batches over which the statistics of batch norm are taken anew."""
        return self.augmented or self.inputs.split(self.batch)


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The layers that keep running statistics of their batches."""
    return [one for one in model.modules() if isinstance(one, _BatchNorm) and one.track_running_stats]


def losses(
    model: nn.Module, plane: Plane, places: Sequence[tuple[float, float]], images: Images, *, retake: bool
) -> Iterator[float]:
    """Yield the mean cross-entropy at each place, in nats; infinite or NaN where the network's answers are.

    Arguments:
        model: of the weights at the origin; it is as before afterwards.
        plane: of its weights.
        places: (across, along).
        images: over which the loss is the mean.
        retake: whether the running statistics of batch norm are taken anew at each place, over the same images as the
            training saw them. Otherwise they are those of the network, which fit its own weights alone.
    """
    with undisturbed(model), torch.no_grad():
        parameters = dict(model.named_parameters())
        for place in places:
            for name, weight in plane.at(*place).items():
                parameters[name].copy_(weight)
            if retake:
                take_statistics(model, images)
            yield _loss(model, images)


def take_statistics(model: nn.Module, images: Images) -> None:
    """Take the running statistics of every batch norm anew: the mean over `images.seen`, each batch weighing the same.

    All other layers are in evaluation mode.
    """
    layers = batch_norms(model)
    with _averaging(layers), torch.no_grad():
        for inputs in images.seen:
            model(inputs)


@contextmanager
def _averaging(layers: Sequence[_BatchNorm]) -> Iterator[None]:
    """Inside, running statistics start anew, and become the plain mean over what passes."""
    before = [(layer.momentum, layer.training) for layer in layers]
    try:
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum, layer.training = None, True
        yield
    finally:
        for layer, (momentum, training) in zip(layers, before, strict=True):
            layer.momentum, layer.training = momentum, training


def _loss(model: nn.Module, images: Images) -> float:
    total = torch.zeros((), dtype=torch.float64)
    pairs = zip(images.inputs.split(images.batch), images.labels.split(images.batch), strict=True)
    for inputs, labels in pairs:
        logits = class_logits(model(inputs).double())
        total += F.cross_entropy(logits, labels, reduction="sum").cpu()
    return float(total / len(images.labels))
