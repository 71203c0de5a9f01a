"""Maps of influence, and where their mass lies: the smallest squares and sets of pixels that hold a share of it.

A map is float64 (h, w), non-negative and not all zero; places are (row, column) in px, 0 the middle of the first pixel,
and lie on pixels or half-way between two, as the centres of receptive fields do.

The high-contribution area is the number by which large kernels are compared, on two scales.
Ding, Zhang, Zhou, Han, Ding and Sun 2022 (RepLKNet), arXiv:2203.06717, the comparison of effective receptive fields:
the smallest square about the middle that holds more than a share t of the map, and the part r of the image that it
covers. Their map is first *log-compressed*, A = log₁₀(S + 1) / max, with S the sum of the positive gradients over the
input's channels, averaged over images. A faint background then weighs nearly as much as the peak, and the score
depends on the size of S: doubling the network's outputs changes it. The linear scale has neither trait, and its
figures are not comparable with published ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

Place = tuple[float, float]


def check(influence: Float64[Tensor, "h w"]) -> None:
    """Raises: ValueError for a map with a negative, NaN or infinite value, or without any influence."""
    if not bool(influence.isfinite().all()):
        raise ValueError("a map of influence with a NaN or infinite value")
    if influence.numel() == 0 or float(influence.min()) < 0:
        raise ValueError("a map of influence needs pixels, all 0 or more")
    if float(influence.max()) == 0:
        raise ValueError("a map of influence that is 0 everywhere")


def middle(influence: Float64[Tensor, "h w"]) -> Place:
    """The map's geometric middle: between two pixels where a side is even."""
    h, w = influence.shape
    return (h - 1) / 2, (w - 1) / 2


def on_halves(influence: Float64[Tensor, "h w"], place: Place | None) -> Place:
    """`place`, or the middle, moved to the nearest pixel or half-way point.

    Raises: ValueError where it lies outside the map.
    """
    row, column = (round(2 * along) / 2 for along in (middle(influence) if place is None else place))
    h, w = influence.shape
    if not (0 <= row <= h - 1 and 0 <= column <= w - 1):
        raise ValueError(f"the centre ({row:g}, {column:g}) lies outside a map of {h}×{w} px")
    return row, column


def value_at(influence: Float64[Tensor, "h w"], place: Place | None = None) -> float:
    """The value at `place`, the mean of the two or four pixels around it where it lies between pixels."""
    rows, columns = (slice(math.floor(along), math.ceil(along) + 1) for along in on_halves(influence, place))
    return float(influence[rows, columns].mean())


def distances(influence: Float64[Tensor, "h w"], place: Place | None = None) -> Float64[Tensor, "h w"]:
    """max(|Δrow|, |Δcolumn|) in px of each pixel from `place`: a square about it holds the pixels up to a distance."""
    row, column = on_halves(influence, place)
    h, w = influence.shape
    rows = (torch.arange(h, dtype=torch.float64, device=influence.device) - row).abs()
    columns = (torch.arange(w, dtype=torch.float64, device=influence.device) - column).abs()
    return torch.maximum(rows[:, None], columns[None, :])


SHARES = (0.5, 0.9, 0.95)
CURVE = tuple(percent / 100 for percent in range(1, 101))
"""Every per cent: a curve that is as long for a large image as for a small one."""

ROUNDING = 1e-12
"""Share of the mass that a sum in another order may miss of a share that is met exactly."""


@dataclass(frozen=True)
class Holding:
    """What holds a share of the mass."""

    share: float
    """0 … 1, asked for."""
    square: float
    """Side in px of the smallest square about the centre, odd where the centre is a pixel, even where it is between
    pixels; what of it lies outside the image is empty."""
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
    """The first index, for each share, up to which `parts` add up to it."""
    held = parts.cumsum(0)
    wanted = torch.tensor([share - ROUNDING for share in shares], dtype=torch.float64, device=parts.device)
    found: list[int] = torch.searchsorted(held / held[-1], wanted).tolist()
    return found


Scale = Literal["log", "linear"]
AREA_SHARES = (0.2, 0.3, 0.5, 0.99)
"""Shares of the paper's table."""


@dataclass(frozen=True)
class AreaScore:
    """The smallest centred square for one share, on one scale."""

    scale: Scale
    """What the share is a share of: the map itself, or log₁₀(map + 1)."""
    share: float
    """More than this of the mass lies inside; 0 … 1."""
    side: int
    """px, odd; at most the image's longer side."""
    area: float
    """The part of the image's pixels that the square covers (r, side²/(H·W) while it lies inside), 0 … 1."""


def area_scores(
    contributions: Float64[Tensor, "h w"], *, scale: Scale, shares: Sequence[float] = AREA_SHARES
) -> tuple[AreaScore, ...]:
    """The score of a map of summed contributions (not the mean over channels: the log scale is not linear).

    The centre is the pixel (H // 2, W // 2), as in the paper's script. Unlike that script a square of one pixel and one
    that covers the whole image are also possible answers.

    Raises: ValueError for a map that is not valid, or for a share outside 0 … 1.
    """
    check(contributions)
    if any(not 0 <= share < 1 for share in shares):
        raise ValueError(f"shares {', '.join(f'{share:g}' for share in shares)}: each is 0 or more and less than 1")
    h, w = contributions.shape
    # No share depends on the logarithm's base or on a division by the maximum; log1p keeps what is tiny beside 1.
    mass = torch.log1p(contributions) if scale == "log" else contributions
    ring = distances(contributions, (float(h // 2), float(w // 2))).long().flatten()
    rings = int(ring.max()) + 1
    held = torch.zeros(rings, dtype=torch.float64, device=mass.device).index_add_(0, ring, mass.flatten()).cumsum(0)
    covered = torch.bincount(ring, minlength=rings).cumsum(0)
    wanted = torch.tensor(shares, dtype=torch.float64, device=mass.device)
    found: list[int] = torch.searchsorted(held / held[-1], wanted, right=True).tolist()
    return tuple(
        AreaScore(scale, share, min(2 * half + 1, max(h, w)), int(covered[half]) / (h * w))
        for share, half in zip(shares, found, strict=True)
    )
