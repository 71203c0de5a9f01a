"""Learning from the hardest images alone: those of each batch whose loss a small network, the proxy, finds largest.

The proxy is trained first, on the same batches, and notes its choice of each; the network then sees the chosen images
alone, so that a step costs it a part of what it did (Jordan 2024, arXiv:2404.00498, the data filter of airbench96).
"""

import math
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import Batch, TrainingBatches
from cnnlab.fit.losses import Loss
from cnnlab.fit.saved_state import damaged


def kept(images: int, keep: float) -> int:
    """How many of a batch's images are learned from: the share `keep`, rounded up; two at least, for batch norm.

    Example:
        >>> kept(1024, 0.5), kept(7, 0.3), kept(1, 0.5)
        (512, 3, 1)
    """
    return min(images, max(2, math.ceil(round(keep * images, 6))))


class HardestLoss:
    """The loss over the hardest images of a batch, which are noted; it is what the proxy learns from."""

    def __init__(self, loss: Loss, *, keep: float, skip: int | None = None) -> None:
        """Take the training's `loss`.

        Arguments:
            loss: with an option `reduction`, as torch's have, by which it tells each image's own.
            keep: the share of each batch that is chosen, above 0 and below 1.
            skip: of so many batches nothing is learned from the last, which saves its backward pass; None: from all.

        Raises:
            RequestError: for a loss without that option.
        """
        if not (isinstance(loss, nn.Module) and hasattr(loss, "reduction")):
            raise RequestError(
                "hardest: ranks images by their own losses, and this loss tells their mean alone; give it a "
                "`reduction` as torch's have, or use cross_entropy"
            )
        self.loss, self.keep, self.skip = loss, keep, skip
        self.reduction = loss.reduction
        self.each = copy(loss)
        vars(self.each)["reduction"] = "none"
        self.chosen: list[Tensor] = []
        """Of each batch, which of its images were chosen, on the training's device."""

    def __call__(self, logits: Float[Tensor, "n k"], targets: Tensor) -> Tensor:
        """The loss of the hardest; without a gradient where this batch is skipped."""
        losses = self.each(logits.detach(), targets)
        hardest = losses.argsort(descending=True, stable=True)[: kept(len(losses), self.keep)]
        chosen = torch.zeros(len(losses), dtype=torch.bool, device=logits.device)
        chosen[hardest] = True
        self.chosen.append(chosen)
        value: Tensor = self.loss(logits[chosen], targets[chosen])
        return value.detach() if self.skip is not None and len(self.chosen) % self.skip == 0 else value


@dataclass(frozen=True)
class Choices:
    """Which images of every batch of a training are learned from."""

    bits: UInt8[Tensor, "epochs bytes"]
    """A bit for each image in the order of its epoch, packed."""
    seconds: float
    """That it took to choose them."""

    @staticmethod
    def packed(chosen: list[list[Tensor]], seconds: float) -> "Choices":
        """The choices of each batch of each epoch."""
        rows = [np.packbits(torch.cat(batches).cpu().numpy()) for batches in chosen]
        return Choices(torch.from_numpy(np.stack(rows)), seconds)

    @property
    def epochs(self) -> int:
        """How many epochs they are of."""
        return len(self.bits)

    def of(self, epoch: int, begin: int, end: int) -> Int64[Tensor, "k"]:
        """Places of the chosen images in the batch of the `begin`-th to the `end`-th image of an epoch (from 0)."""
        row = np.unpackbits(self.bits[epoch].numpy(), count=end)
        return torch.from_numpy(row[begin:].nonzero()[0])

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values."""
        return {"bits": self.bits, "seconds": self.seconds}

    @staticmethod
    def loaded(state: Mapping[str, Any], batches: TrainingBatches, keep: float) -> "Choices":
        """The inverse of `state_dict`.

        Arguments:
            state: as it was read.
            batches: of the training.
            keep: the share of a batch that is chosen.

        Raises:
            RequestError: where they are not of these batches.
        """
        bits, seconds = state.get("bits"), state.get("seconds")
        width = math.ceil(batches.count / 8)
        if not (isinstance(bits, Tensor) and bits.dtype == torch.uint8 and bits.shape[1:] == (width,)):
            damaged("bits", bits, f"bytes, {width} for an epoch")
        if type(seconds) is not float or not 0 <= seconds < math.inf:
            damaged("seconds", seconds, "a number of at least 0")
        rows = np.unpackbits(bits.cpu().numpy(), axis=1, count=batches.count)
        for begin, end in batches.bounds:
            wanted = kept(end - begin, keep)
            counts = rows[:, begin:end].sum(1)
            if (counts != wanted).any():
                found = int(counts[counts != wanted][0])
                damaged("bits", found, f"{wanted} images of the {end - begin} of a batch")
        return Choices(bits.cpu(), seconds)


@dataclass(frozen=True)
class HardestBatches:
    """The batches of a training with the chosen images alone, drawn and augmented as if all were seen."""

    batches: TrainingBatches
    choices: Choices
    steps: int = field(init=False)
    """Batches per epoch."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", self.batches.steps)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from the batch `start` on."""
        bounds = self.batches.bounds[start:]
        for (begin, end), batch in zip(bounds, self.batches.epoch(epoch, start), strict=True):
            some = self.choices.of(epoch, begin, end).to(batch.images.device)
            yield Batch(batch.images[some], batch.targets[some], batch.indices[some])
