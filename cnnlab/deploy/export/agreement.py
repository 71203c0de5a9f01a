"""Whether what was written computes what the network computes, on the same images."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.models.undisturbed import undisturbed

BATCHES = (1, 2, 5)
"""Images of the passes on which both are compared: one that an exporter has not seen is among them."""

TOLERANCE = 1e-4
"""By which logits may differ, absolutely; of logits above 1, of the largest among them."""


@dataclass(frozen=True)
class Pass:
    """One pass of both."""

    images: int
    difference: float
    """The largest between two logits."""
    answers: int
    """Images on which both name the same class."""


@dataclass(frozen=True)
class Agreement:
    """Passes of the network and of what was written, on the same images."""

    passes: tuple[Pass, ...]
    scale: float
    """The largest logit of the network, at least 1."""
    finite: bool = True
    """Whether all logits of the network itself are numbers."""

    @property
    def difference(self) -> float:
        """The largest between two logits."""
        return max(one.difference for one in self.passes)

    @property
    def images(self) -> int:
        """Of all passes."""
        return sum(one.images for one in self.passes)

    @property
    def answers(self) -> int:
        """Images on which both name the same class."""
        return sum(one.answers for one in self.passes)

    @property
    def tolerance(self) -> float:
        """By which logits may differ."""
        return TOLERANCE * self.scale

    @property
    def holds(self) -> bool:
        """Whether logits are within the tolerance, and all answers equal."""
        return self.difference <= self.tolerance and self.answers == self.images


def agreement(model: nn.Module, written: nn.Module, inputs: Float[Tensor, "n c h w"]) -> Agreement:
    """Run both on batches of one, two and five images.

    Arguments:
        model: the network, on the processor.
        written: what was read back of a file.
        inputs: prepared images, at least eight; a batch takes those that follow the last one's.

    Returns:
        The largest difference of their logits, and how many answers are equal.

    Example:
        >>> layer = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
        >>> agreement(layer, layer, torch.rand(8, 3, 1, 1)).holds
        True
    """
    passes, scale, start, finite = [], 1.0, 0, True
    with undisturbed(model), undisturbed(written), torch.no_grad():
        for count in BATCHES:
            batch = inputs[start : start + count]
            ours, theirs = model(batch).double(), written(batch).double()
            difference = float((ours - theirs).abs().max()) if ours.shape == theirs.shape else float("inf")
            equal = int((_answers(ours) == _answers(theirs)).sum()) if difference < float("inf") else 0
            passes.append(Pass(len(batch), float("inf") if difference != difference else difference, equal))
            finite = finite and bool(ours.isfinite().all())
            scale, start = max(scale, float(ours.abs().max())), start + count
    return Agreement(tuple(passes), scale, finite)


def _answers(logits: Tensor) -> Tensor:
    """The class of each row; a single logit speaks for the second of two by its sign."""
    return logits.argmax(1) if logits.shape[1] > 1 else logits[:, 0] > 0
