"""The colours of filters: each filter as one colour times one spatial pattern, and its energy along named axes.

A filter (channels, height, width) is a matrix of channels × pixels; its first singular pair is the best single
colour ⊗ pattern in the least squares sense (Eckart & Young 1936, Psychometrika 1:211). The opponent axes are those of
the difference signals in the retina, as an orthonormal basis of red, green and blue *as the network gets them*: where
inputs are normalised per channel, a step of 1 is one standard deviation of each.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from cnnlab.core.errors import WorkError

AXES = ("luminance", "red-green", "blue-yellow")
"""(1, 1, 1)/√3, (1, −1, 0)/√2 and (−1, −1, 2)/√6 of (red, green, blue)."""

_DIRECTIONS = torch.tensor(
    [[1 / math.sqrt(3)] * 3, [1 / math.sqrt(2), -1 / math.sqrt(2), 0.0], [-1 / math.sqrt(6)] * 2 + [2 / math.sqrt(6)]],
    dtype=torch.float64,
)


@dataclass(frozen=True, eq=False)
class ColourPatterns:
    """The first singular pair of each filter: filter ≈ colour ⊗ pattern."""

    patterns: Float64[Tensor, "n h w"]
    """Patterns in units of the weights. With one input channel this is the filter itself."""
    colours: Float64[Tensor, "n c"]
    """Colours of length 1; the entry of largest size is positive, which fixes the sign of the pattern."""
    shares: Float64[Tensor, "n"]
    """Share of the filter's energy Σw², 0 … 1; 0 for a filter of zeros."""


@dataclass(frozen=True)
class ColourShares:
    """Shares of the energy Σw² of a three-channel filter; the three axes sum to 1 (to 0 for a filter of zeros)."""

    luminance: float
    red_green: float
    blue_yellow: float
    nearest: str
    """The axis nearest to the principal colour …"""
    chroma_of_principal: float
    """Share of that colour's squared length across luminance: 0 grey, 1 pure colour difference."""

    @property
    def chroma(self) -> float:
        """The share across luminance, 0 … 1. Random weights have 2/3: two of the three axes."""
        return self.red_green + self.blue_yellow


def colour_patterns(weights: Float[Tensor, "n c h w"]) -> ColourPatterns:
    """The principal colour and pattern of each filter.

    Raises: WorkError where a weight is NaN or infinite.
    """
    filters = weights.detach().cpu().double()
    finite = filters.flatten(1).isfinite().all(1)
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0, 0])
        raise WorkError(f"filter {first} has weights that are NaN or infinite: the training that made it diverged")
    n, c, h, w = filters.shape
    u, s, v = torch.linalg.svd(filters.reshape(n, c, h * w), full_matrices=False)
    colours, patterns = u[:, :, 0], s[:, :1] * v[:, 0]
    largest = colours.gather(1, colours.abs().argmax(1, keepdim=True))
    sign = torch.where(largest < 0, -1.0, 1.0).double()
    energy = (s**2).sum(1)
    shares = torch.where(energy > 0, s[:, 0] ** 2 / energy.clamp_min(torch.finfo(torch.float64).tiny), 0.0)
    return ColourPatterns((patterns * sign).reshape(n, h, w), colours * sign, shares)


def colour_shares(weights: Float[Tensor, "3 h w"], colour: Float64[Tensor, "3"]) -> ColourShares:
    """The energy of one filter along the opponent axes, and the axis nearest to its principal colour."""
    projected = _DIRECTIONS @ weights.detach().cpu().double().flatten(1)
    energy = (projected**2).sum(1)
    total = float(energy.sum())
    luminance, red_green, blue_yellow = (float(e) / total if total > 0 else 0.0 for e in energy)
    along = (_DIRECTIONS @ colour) ** 2
    return ColourShares(luminance, red_green, blue_yellow, AXES[int(along.argmax())], float(along[1:].sum()))
