"""The grid of tokens: at which row and column of the image each one of a row of tokens stands, told by what it reads.

Nothing is guessed from their number: 16 tokens may be 4 × 4 patches, 2 × 8 or 1 × 15 and a class token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.walk.arrays import NOTHING, Array


@dataclass(frozen=True)
class Grid:
    """Where tokens in a row stand."""

    height: int
    width: int
    places: tuple[int, ...]
    """The number of the token at each place, row by row."""
    others: tuple[int, ...]
    """Tokens that stand at no place: class and register tokens, which read all of the image or nothing of it."""

    @property
    def sentence(self) -> str:
        """`tokens of a grid of 14 × 14, 1 class token left out`."""
        count = len(self.others)
        left = f", {count} class or register tokens left out" if count > 1 else ", 1 class token left out" * count
        return f"tokens of a grid of {self.height} × {self.width}{left}"

    def maps(self, tokens: Tensor) -> Tensor:
        """Tokens (n, channels, tokens) as maps (n, channels, height, width)."""
        first, count = self.places[0], len(self.places)
        if self.places == tuple(range(first, first + count)):
            found = tokens[..., first : first + count]
        else:
            found = tokens[..., torch.tensor(self.places, device=tokens.device)]
        return found.reshape(*found.shape[:2], self.height, self.width)

    def joined(self, ends: Array, along: Sequence[int], shape: Sequence[int]) -> NDArray[np.int64]:
        """(components, height, width) of what each token depends on, all channels together; see `walk.reach`."""
        tokens = _joined(ends, along, shape)
        return tokens[:, list(self.places)].reshape(len(ends), self.height, self.width)

    def beside(self, tokens: Tensor) -> Tensor:
        """Those of (n, channels, tokens) that stand at no place."""
        return tokens[..., torch.tensor(self.others, dtype=torch.long, device=tokens.device)]

    def tokens(self, maps: Tensor, beside: Tensor | None) -> Tensor:
        """Maps and what stands beside them as tokens (n, channels, tokens)."""
        found = maps.flatten(2)
        if self.others:
            assert beside is not None
            found = torch.cat([found, beside.to(found)], 2)
        order = torch.tensor(self.places + self.others).argsort()
        return found if bool((order.diff() == 1).all()) else found[..., order.to(found.device)]


def grid_of(ends: Sequence[Array], along: Sequence[int], shape: Sequence[int]) -> Grid | str:
    """The grid of the tokens along the dimensions `along` of a tensor of `shape`, or in words why they are none.

    ends: −first and last pixel (2, …) that each element stands over, along rows and along columns. A token that stands
    over all that the others stand over together, or over nothing, is none of the grid's.
    """
    count = int(np.prod([shape[dim] for dim in along]))
    intervals = [_joined(one, along, shape) for one in ends]
    known = np.stack([one[1] > NOTHING for one in intervals]).all(0)
    if not known.any():
        return f"{count} tokens in a row, which stand at no place of the image"
    everywhere = known.copy()
    for one in intervals:
        everywhere &= (one == one[:, known].max(1)[:, None]).all(0)
    standing = np.flatnonzero(known & ~everywhere)
    rows, columns = (_numbers(one[:, standing]) for one in intervals)
    height, width = (int(numbers.max(initial=-1)) + 1 for numbers in (rows, columns))
    place = rows * width + columns
    if len(standing) != height * width or len(np.unique(place)) != len(place):
        others = count - len(standing)
        beside = f" beside {others} that stand{'s' * (others == 1)} at none" * bool(others)
        return (
            f"{count} tokens in a row, {len(standing)} of which stand at {len(np.unique(place))} places of the "
            f"image{beside}: no grid of rows and columns"
        )
    left_out = tuple(np.setdiff1d(np.arange(count), standing).tolist())
    return Grid(height, width, tuple(standing[place.argsort()].tolist()), left_out)


def _joined(ends: Array, along: Sequence[int], shape: Sequence[int]) -> NDArray[np.int64]:
    """(components, tokens): the interval of each token, of all its channels together."""
    rest = tuple(dim + 1 for dim in range(len(shape)) if dim not in along)
    found = np.maximum.reduce(ends, axis=rest)
    sizes = [shape[dim] for dim in along]
    return np.broadcast_to(found, (len(ends), *sizes)).reshape(len(ends), -1).astype(np.int64)


def _numbers(intervals: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of each interval (−first, last) among the different ones, in the order in which they lie."""
    first, last = -intervals[0], intervals[1]
    return np.unique(np.stack([first + last, first]), axis=1, return_inverse=True)[1].reshape(-1)
