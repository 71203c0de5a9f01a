"""Progressive resolution: small images at first, which cost less, and larger ones as the training goes on."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch.nn.functional as F
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError, first_line
from cnnlab.data.batches import Batch
from cnnlab.models.build import output_shape
from cnnlab.models.failure import LAYER_FAILURES

WHOLE_IMAGES = "a network that is bound to one size (flatten, locally_connected) needs its images whole"


class Resolution:
    """The size of the images over a training: a pure function of how much of it is done, so that it needs no state.

    Smaller images are cheap, and convolutions that learned on them go on with larger ones (Howard 2018, fast.ai's
    DAWNBench entry; Touvron 2019, arXiv:1906.06423, on what the network should see last).
    """

    def __init__(self, sides: Mapping[float, int], full: tuple[int, int]) -> None:
        """Work out the sizes.

        Arguments:
            sides: by the share of the training from which on it holds, the shorter side in pixels.
            full: (height, width) of the images, which holds before the first share.

        Raises:
            RequestError: for a side that is longer than the images'.
        """
        self.full = full
        self.steps: list[tuple[float, tuple[int, int]]] = []
        short = min(full)
        for share, side in sorted(sides.items()):
            if side > short:
                raise RequestError(
                    f"training.sizes: {side} px from {_percent(share)} of the training on is more than the images "
                    f"have: they are {_shown(full)} px"
                )
            self.steps.append((share, (round(full[0] * side / short), round(full[1] * side / short))))

    def at(self, done: float) -> tuple[int, int]:
        """(height, width) in pixels, where a share `done` (0 … 1) of the training is behind."""
        size = self.full
        for share, wanted in self.steps:
            if done >= share:
                size = wanted
        return size

    def shown(self, batch: Batch, done: float) -> Batch:
        """The batch with its images at the size of that share: bilinear with antialiasing, so that none shimmers."""
        size = self.at(done)
        if size == tuple(batch.images.shape[2:]):
            return batch
        images = F.interpolate(batch.images, size, mode="bilinear", antialias=True, align_corners=False)
        return replace(batch, images=images)

    def spans(self) -> Iterator[tuple[float, tuple[int, int]]]:
        """The share of the training that each size has, in their order; one that has none is left out."""
        starts = [(0.0, self.full), *self.steps]
        for (begin, size), (end, _) in zip(starts, [*self.steps, (1.0, self.full)], strict=True):
            if end > begin:
                yield end - begin, size

    @property
    def pixels(self) -> float:
        """How many pixels are seen, as a share of those that the images have at their own size."""
        return sum(share * size[0] * size[1] for share, size in self.spans()) / (self.full[0] * self.full[1])

    def check(self, network: nn.Module, channels: int) -> None:
        """Try the network on each size; nothing is computed or changed.

        Raises: RequestError for one that it cannot take.
        """
        for _, size in self.steps:
            shape: Shape = (channels, *size)
            try:
                output_shape(network, shape)
            except LAYER_FAILURES as error:
                raise RequestError(
                    f"training.sizes: {_shown(size)} px do not go through the network ({first_line(error)}); "
                    f"{WHOLE_IMAGES}"
                ) from error

    @property
    def sentence(self) -> str:
        """The sizes with their shares, and what is validated at."""
        spans, begin, parts = list(self.spans()), 0.0, []
        for share, size in spans:
            parts.append(_shown(size) + (f" from {_percent(begin)} on" if begin else " at first"))
            begin += share
        last = spans[-1][1] == self.full
        never = "" if last else ", a size that it is not trained with at the end"
        return f"images of {', '.join(parts)}; validation at their own {_shown(self.full)} px{never}"


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
