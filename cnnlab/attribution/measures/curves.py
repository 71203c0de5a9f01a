"""Deletion and insertion: the target's probability while a map's pixels go from the image, or come into a blur of it.

Petsiuk et al. 2018 (RISE), arXiv:1806.07421, section 4.1. Deletion fills with 0, the data set's mean in normalised
images; insertion starts from the image blurred with an 11×11 Gaussian of σ = 5, as the authors' code does. Filling
with a constant leaves the distribution the network knows, and favours methods that multiply by the image: ROAD
(`cnnlab.attribution.measures.road`) is the measure beside it.

A map of ReLU'd activations is mostly zeros. Comparing with a quantile then takes too many pixels or too few; ranks,
with ties in seeded random order, take exactly the number asked for.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from cnnlab.attribution.measures.probability import composite_probabilities
from cnnlab.core.seeds import derive_seed
from cnnlab.stats.probabilities import Activation


@dataclass(frozen=True, eq=False)
class Ranking:
    """The place of every pixel in its image's order, on the CPU; the pixels of a block share a place."""

    ranks: Int64[Tensor, "n h w"]
    """0 for the most relevant."""
    units: int
    """How many places there are: pixels, or blocks."""
    block: int
    """Side of a block in pixels; 1 for single pixels."""

    def first(self, count: int) -> Bool[Tensor, "n h w"]:
        """The pixels of the `count` most relevant places."""
        return self.ranks < count

    def last(self, count: int) -> Bool[Tensor, "n h w"]:
        """The pixels of the `count` least relevant places."""
        return self.ranks >= self.units - count

    def part(self, start: int, stop: int) -> "Ranking":
        """The ranking of the images from `start` to before `stop`."""
        return Ranking(self.ranks[start:stop], self.units, self.block)


def block_side(height: int, width: int) -> int:
    """An eighth of the shorter side, at least 2 pixels: 4 at 32 px, 28 at 224 px."""
    return max(2, round(min(height, width) / 8))


def rank_pixels(maps: Float[Tensor, "n h w"], *, seed: int, block: int = 1) -> Ranking:
    """Order the pixels (or, with `block`, squares of that side) of images by `maps` of their size, largest first.

    Values are finite: ranks of NaN mean nothing. A square counts by its mean; those at the right and lower border may
    be cut off. Ties are in random order, by `seed` and the image's place alone: the same for each map of an image.

    Raises: ValueError unless 1 ≤ block.
    """
    if block < 1:
        raise ValueError(f"block is {block}, expected at least 1 pixel")
    # on the CPU, where the order of ties does not depend on the device
    maps = maps.detach().cpu().float()
    n, height, width = maps.shape
    rows, columns = -(-height // block), -(-width // block)
    places = _places(height, width, block)
    values = maps.flatten(1)
    if block > 1:
        # double: a sum in float32 could order two equal blocks
        sums = torch.zeros(n, rows * columns, dtype=torch.float64)
        sums.index_add_(1, places, values.double())
        values = sums / torch.bincount(places, minlength=rows * columns)
    generator = torch.Generator().manual_seed(derive_seed(seed, "ties", block))
    shuffle = torch.rand(n, rows * columns, generator=generator, dtype=torch.float64).argsort(1)
    order = shuffle.gather(1, values.gather(1, shuffle).argsort(dim=1, descending=True, stable=True))
    ranks = torch.empty_like(order).scatter_(1, order, torch.arange(rows * columns).expand(n, -1))
    return Ranking(ranks[:, places].unflatten(1, (height, width)), rows * columns, block)


def _places(height: int, width: int, block: int) -> Int64[Tensor, "pixels"]:
    """The number of the block of each pixel, row by row."""
    y, x = torch.arange(height) // block, torch.arange(width) // block
    return (y[:, None] * (-(-width // block)) + x[None, :]).flatten()


STEPS = 32
BLUR_KERNEL = 11
BLUR_SIGMA = 5.0


@dataclass(frozen=True, eq=False)
class Curves:
    """The probability of each image's target at growing parts of its pixels; `s` is the number of steps + 1."""

    fractions: Float[Tensor, "n s"]
    """Shares of the pixels taken away (deletion) or brought in (insertion), from 0 to 1."""
    deletion: Float[Tensor, "n s"]
    insertion: Float[Tensor, "n s"]

    @property
    def deletion_area(self) -> Float[Tensor, "n"]:
        """Area under the curve, 0 … 1; small where the map names what the answer rests on."""
        return torch.trapezoid(self.deletion, self.fractions, dim=1)

    @property
    def insertion_area(self) -> Float[Tensor, "n"]:
        """Area under the curve, 0 … 1; large where the map names what suffices for the answer."""
        return torch.trapezoid(self.insertion, self.fractions, dim=1)

    @property
    def gain(self) -> Float[Tensor, "n"]:
        """Insertion − deletion, −1 … 1: one number for how well a map orders the pixels."""
        return self.insertion_area - self.deletion_area


def curves(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Int64[Tensor, "n"],
    ranking: Ranking,
    *,
    steps: int = STEPS,
    max_batch: int = 256,
    activation: Activation = "softmax",
) -> Curves:
    """Both curves of each (normalised) image, in float64; at most `max_batch` changed images exist at a time.

    `ranking` gives the order of pixels or blocks. Of k units, round(j·k/steps) are changed at step j.

    Raises: ValueError unless `steps` ≥ 1; RequestError and WorkError as `composite_probabilities`.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected at least 1")
    counts = torch.tensor([round(step * ranking.units / steps) for step in range(steps + 1)], device=images.device)
    ranks = ranking.ranks.to(images.device)
    fractions = torch.stack([(ranks < count).flatten(1).cpu().double().mean(1) for count in counts], 1)
    return Curves(
        fractions,
        _probabilities(model, images, torch.zeros_like(images), targets, ranks, counts, max_batch, activation),
        _probabilities(model, blurred(images), images, targets, ranks, counts, max_batch, activation),
    )


def blurred(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Insertion's start: an 11×11 Gaussian of σ = 5 px, borders mirrored; a smaller kernel where 11 px do not fit."""
    from torchvision.transforms.v2.functional import gaussian_blur

    # mirroring needs an image larger than half the kernel
    kernel = min(BLUR_KERNEL, 2 * min(images.shape[2:]) - 1)
    result: Tensor = gaussian_blur(images, [kernel, kernel], [BLUR_SIGMA, BLUR_SIGMA])
    return result


def _probabilities(
    model: nn.Module,
    start: Tensor,
    end: Tensor,
    targets: Tensor,
    ranks: Tensor,
    counts: Tensor,
    max_batch: int,
    activation: Activation,
) -> Tensor:
    """(n, s) for images that go from `start` to `end`, the first `counts` ranks at a time."""
    points = len(counts)

    def make(rows: Int64[Tensor, "b"]) -> Float[Tensor, "b c h w"]:
        image, point = rows // points, rows % points
        changed = ranks[image] < counts[point, None, None]
        return torch.where(changed[:, None], end[image], start[image])

    wanted = targets.repeat_interleave(points)
    found = composite_probabilities(model, make, wanted, max_batch=max_batch, activation=activation)
    return found.reshape(len(start), points)
