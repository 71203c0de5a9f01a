"""What a batch norm is given, image by image: from the images' own means, the statistics of any batch of them follow.

A batch's mean is the mean of its images' means, and its variance the mean of their mean squares less its squared mean.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from cnnlab.core.advance import Advance
from cnnlab.models.failure import told
from cnnlab.probe.norm.inputs import first_inputs


@dataclass(frozen=True, eq=False)
class Moments:
    """The input of one batch norm, for each of n images."""

    mean: Float64[Tensor, "n c"]
    """Mean of each channel over the image's pixels, taken from the mean over all images (see `centre`)."""
    square: Float64[Tensor, "n c"]
    """Mean of the squared values over the image's pixels, after `centre` was taken off."""
    centre: Float64[Tensor, "c"]
    """A value near the mean over all images and pixels: squares about it lose no digits."""
    positions: int
    """Pixels of a channel, H·W."""
    eps: float

    @cached_property
    def variance(self) -> Float64[Tensor, "c"]:
        """σ² of each channel over all images and pixels, divided by their number."""
        return self.square.mean(0) - self.mean.mean(0) ** 2

    @cached_property
    def between(self) -> Float64[Tensor, "c"]:
        """The variance of the images' means about the mean of all."""
        return self.mean.var(0, correction=0)

    @property
    def live(self) -> Tensor:
        """Which channels vary at all, (c,)."""
        return self.variance > 1e-12 * (1 + self.centre**2)

    @property
    def effective_positions(self) -> float:
        """Independent values that an image is worth: σ² over the variance of images' means; the mean of channels.

        As many as pixels where these are independent, 1 where an image has one value throughout.
        """
        live = self.live
        return float((self.variance[live] / self.between[live].clamp(min=1e-30)).median()) if bool(live.any()) else 1.0

    def batches(self, counts: Float64[Tensor, "r n"]) -> tuple[Float64[Tensor, "r c"], Float64[Tensor, "r c"]]:
        """Mean (with `centre` taken off) and biased variance of each of r batches.

        counts: how often each image is in each batch; a row adds up to the batch's size.
        """
        share = counts / counts.sum(1, keepdim=True)
        mean = share @ self.mean
        return mean, (share @ self.square - mean**2).clamp(min=0)


def drawn_batches(n: int, size: int, repeats: int, generator: torch.Generator) -> Float64[Tensor, "r n"]:
    """How often each of n images is in each of `repeats` batches of `size`, drawn with replacement."""
    chosen: Int64[Tensor, "r m"] = torch.randint(n, (repeats, size), generator=generator)
    ones = torch.ones(chosen.shape, dtype=torch.float64)
    return torch.zeros(repeats, n, dtype=torch.float64).scatter_add_(1, chosen, ones)


def moments_of(parts: Iterable[Tensor], eps: float) -> Moments:
    """The moments of inputs (n, c, …), given in parts, one after the other."""
    sums = Sums(eps)
    for part in parts:
        sums.add(part)
    return sums.moments


@final
class Sums:
    """The moments of inputs that come one after the other, none of which is kept."""

    def __init__(self, eps: float) -> None:
        """eps: of the norm."""
        self._eps = eps
        self._centre: Tensor | None = None
        self._parts: list[tuple[Tensor, Tensor]] = []
        self._positions = 1

    def add(self, values: Tensor) -> None:
        """Take (n, c, …) in."""
        flat = values.detach().double().cpu().reshape(*values.shape[:2], -1)
        if self._centre is None:  # of the first is near enough to that of all
            self._centre, self._positions = flat.mean((0, 2)), flat.shape[2]
        flat = flat - self._centre[:, None]
        self._parts.append((flat.mean(2), (flat**2).mean(2)))

    @property
    def moments(self) -> Moments:
        """Of all that was taken in."""
        assert self._centre is not None
        means, squares = (torch.cat(parts) for parts in zip(*self._parts, strict=True))
        return Moments(means, squares, self._centre, self._positions, self._eps)


def norm_inputs(
    model: nn.Module, images: Tensor, layers: Sequence[str], *, max_batch: int, training: bool = False
) -> Iterator[Advance | dict[str, Moments]]:
    """The moments of what each of `layers` is given.

    Arguments:
        model: left as it is.
        images: (n, c, h, w), prepared.
        layers: batch norms, by name; of one that runs several times its first input counts.
        max_batch: images that pass at a time.
        training: whether the norms before a layer take their statistics from the batch; by default from memory, by
            which nothing before a layer moves.

    Yields:
        How far the images are, and at last the moments by layer; without those that do not run.

    Raises:
        RequestError: for what the network raises.
    """
    sums: dict[str, Sums] = {}
    for begin in range(0, len(images), max_batch):
        some = images[begin : begin + max_batch]
        if training and len(some) == 1:
            break  # which has no statistics
        with told():
            given = first_inputs(model, some, layers, training=training)
        for name, values in given.items():
            eps: Any = model.get_submodule(name).eps
            sums.setdefault(name, Sums(eps)).add(values)
        yield Advance("inputs of norms", min(begin + max_batch, len(images)), len(images))
    yield {name: sums[name].moments for name in layers if name in sums}


def independent_moments(
    *, images: int, channels: int, positions: int, mean: float, deviation: float, seed: int
) -> Moments:
    """The moments of values that are all independent, as in the chapter's code: normal, mean 5 and deviation 3."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(images, channels, positions, generator=generator, dtype=torch.float64)
    return moments_of([mean + deviation * values], 1e-5)
