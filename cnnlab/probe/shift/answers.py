"""The answers of a network to images that move, and what they say of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from cnnlab.core.errors import WorkError
from cnnlab.data.batches import normalise
from cnnlab.models.layers.convolution import LocallyConnected2d
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.forward import forward
from cnnlab.network.network import Network
from cnnlab.probe.alteration import Alteration, altered, check_alters
from cnnlab.probe.shift.windows import Border, canvas, moves, window
from cnnlab.stats.probabilities import class_logits


@dataclass(frozen=True, eq=False)
class Answers:
    """The class of each image after each shift; the first shift is none."""

    moves: tuple[tuple[int, int], ...]
    """(down, right) in pixels."""
    classes: Int64[Tensor, "shifts n"]
    labels: Int64[Tensor, "n"]

    @property
    def right(self) -> Bool[Tensor, "shifts n"]:
        """Whether each is that of the image's label."""
        return self.classes == self.labels

    @property
    def flipped(self) -> Bool[Tensor, "shifts n"]:
        """Whether each is another one than that of the image where it lay."""
        return self.classes != self.classes[0]

    @property
    def consistent(self) -> Float[Tensor, "n"]:
        """The share of pairs of shifts at which each image has the same answer (Zhang 2019, section 4.1)."""
        count = len(self.classes)
        same = (self.classes[:, None] == self.classes[None, :]).sum((0, 1)) - count
        return same.double() / (count * (count - 1))

    def at(self, pixels: int) -> list[int]:
        """The numbers of the shifts by `pixels` along one axis alone; of 0 the first."""
        return [n for n, move in enumerate(self.moves) if (move == (0, 0) if pixels == 0 else sum(move) == pixels)]


def answers(
    network: Network,
    images: UInt8[Tensor, "n c h w"],
    labels: Int64[Tensor, "n"],
    *,
    most: int,
    border: Border,
    alteration: Alteration,
    batch: int,
) -> Iterator[int | Answers]:
    """Ask a network about images after every shift along one axis.

    Arguments:
        network: opened for images.
        images: bytes, in its size.
        labels: of the images.
        most: pixels of the largest shift.
        border: what comes in.
        alteration: what the network does otherwise.
        batch: images of a pass.

    Yields: 1 for each pass; at last the answers.

    Raises: RequestError where the alteration changes nothing, WorkError for answers that are NaN or infinite.
    """
    steps, found = tuple(moves(most)), []
    with undisturbed(network.model), torch.no_grad():
        for some in images.split(batch):
            wide = canvas(some.to(network.device), most, border)
            row = []
            for down, right in steps:
                moved = normalise(window(wide, most, down, right), network.preparation.statistics)
                with altered(alteration, network.model) as changed:
                    logits = class_logits(_logits(network.model, moved))
                if not bool(logits.isfinite().all()):
                    raise WorkError(f"the answers of {network.name} are NaN or infinite: its weights diverged")
                row.append(logits.argmax(1).cpu())
                check_alters(alteration, changed, network.name)
                yield 1
            found.append(torch.stack(row))
    yield Answers(steps, torch.cat(found, 1), labels)


def _logits(model: nn.Module, images: Tensor) -> Float[Tensor, "n classes"]:
    output = forward(model, images)
    assert isinstance(output, Tensor)
    return output.float()


def kind_of(model: nn.Module) -> str:
    """Whether a network has convolutions, or layers that are local without sharing weights, or neither."""
    parts = list(model.modules())
    if any(isinstance(part, nn.modules.conv._ConvNd) for part in parts):
        return "convolutional"
    return "locally connected" if any(isinstance(part, LocallyConnected2d) for part in parts) else "dense"
