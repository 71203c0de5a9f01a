"""The order in which a map lets pixels or blocks go: exact counts, whatever ties it has.

A map of ReLU'd activations is mostly zeros. Comparing with a quantile then takes too many pixels or too few; ranks,
with ties in seeded random order, take exactly the number asked for.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from cnnlab.core.seeds import derive_seed


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
