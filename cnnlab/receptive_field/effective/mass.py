"""Where a map's mass lies: the smallest centred square, and the smallest set of pixels, that hold a share of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from cnnlab.receptive_field.effective.influence import Place, check, distances

SHARES = (0.5, 0.9, 0.95)
CURVE = tuple(percent / 100 for percent in range(1, 101))
"""Every per cent: a curve that is as long for a large picture as for a small one."""

ROUNDING = 1e-12
"""Of the mass: what a sum in another order may miss of a share that is met exactly."""


@dataclass(frozen=True)
class Holding:
    """What holds a share of the mass."""

    share: float
    """0 … 1, asked for."""
    square: float
    """Side in px of the smallest square about the centre, odd where the centre is a pixel, even where it is between
    pixels; what of it lies outside the picture is empty."""
    pixels: int
    """How many pixels the smallest set has, wherever they lie."""
    level: float
    """The least value in that set: the height of the contour that encloses the share."""


def holdings(
    influence: Float64[Tensor, "h w"], *, shares: Sequence[float] = SHARES, centre: Place | None = None
) -> tuple[Holding, ...]:
    """The smallest square about `centre` (px; the middle if None) and the smallest set of pixels for each share.

    With `shares=CURVE` these are the points of both mass curves.

    Raises: ValueError for a map that is not valid, for a share outside 0 … 1, or for a centre outside the map.
    """
    check(influence)
    if any(not 0 < share <= 1 for share in shares):
        raise ValueError(f"shares {', '.join(f'{share:g}' for share in shares)}: each is more than 0 and at most 1")
    half_sides, ring = distances(influence, centre).flatten().unique(return_inverse=True)
    in_ring = torch.zeros_like(half_sides).index_add_(0, ring, influence.flatten())
    values = influence.flatten().sort(descending=True).values
    squares, sets = _first_holding(in_ring, shares), _first_holding(values, shares)
    return tuple(
        Holding(share, 2 * float(half_sides[square]) + 1, last + 1, float(values[last]))
        for share, square, last in zip(shares, squares, sets, strict=True)
    )


def _first_holding(parts: Float64[Tensor, "k"], shares: Sequence[float]) -> list[int]:
    """For each share the first index up to which `parts` add up to it."""
    held = parts.cumsum(0)
    wanted = torch.tensor([share - ROUNDING for share in shares], dtype=torch.float64, device=parts.device)
    found: list[int] = torch.searchsorted(held / held[-1], wanted).tolist()
    return found
