"""The place of a map's evidence: in the object, at the border, in the corners, and whether its peak meets the object.

Pointing game: Zhang et al. 2016, arXiv:1608.00507, section 5.1, with TorchRay's tolerance of 15 px at 224 px. Energy
inside: Wang et al. 2020 (Score-CAM), arXiv:1910.01279, section 4.3, on masks instead of boxes.

How narrow a map's evidence is: the share in its strongest pixels, and Gini's index.

Neither says that a map is right: a random point is as narrow as it gets. Gini's index as a measure of sparseness:
Hurley & Rickard 2009, arXiv:0811.4706, table I; for explanations: Chalasani et al. 2020, arXiv:1810.06583, section 5.
"""

import math

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from cnnlab.attribution.maps import positive_scaled, varies
from cnnlab.attribution.measures.curves import rank_pixels

FRAME = 1 / 8
"""Width of the border frame, in heights (above, below) and widths (left, right) of the image."""

CORNER = 1 / 4
"""Sides of the four corners, likewise: a logo, a date or a tag in a corner is seldom larger."""

TOLERANCE = 15 / 224
"""Tolerance of the pointing game, in shorter sides of the image."""


def border_region(height: int, width: int) -> Bool[Tensor, "h w"]:
    """The outer frame, round(height/8) rows and round(width/8) columns wide, at least 1 pixel."""
    rows, columns = _band(height, FRAME), _band(width, FRAME)
    return ~(rows[:, None] & columns[None, :])


def corner_region(height: int, width: int) -> Bool[Tensor, "h w"]:
    """The four corners, round(height/4) by round(width/4) pixels each, at least 1 pixel."""
    rows, columns = _band(height, CORNER), _band(width, CORNER)
    return ~rows[:, None] & ~columns[None, :]


def energy_inside(
    maps: Float[Tensor, "n h w"], region: Bool[Tensor, "n h w"] | Bool[Tensor, "h w"]
) -> Float[Tensor, "n"]:
    """The share of a map's positive values that lies in `region`, 0 … 1, in float64; 0 for a map without any.

    Of a uniform map it is the region's share of the area.
    """
    # the scale drops out; without it, sums of values near 1e-320 would lose digits
    evidence = positive_scaled(maps.cpu().double())
    return (evidence * region.cpu()).sum((1, 2)) / _total(evidence.flatten(1))


def peaks(maps: Float[Tensor, "n h w"], *, seed: int) -> Int64[Tensor, "n 2"]:
    """Row and column of each map's largest value; among equal ones a random one, by `seed`."""
    width = maps.shape[2]
    first = rank_pixels(maps, seed=seed).ranks.flatten(1).argmin(1)
    return torch.stack([first // width, first % width], 1)


def tolerance_pixels(height: int, width: int) -> float:
    """The pointing game's tolerance at this size: 15 px at 224 px, 2.1 px at 32 px."""
    return TOLERANCE * min(height, width)


def pointing_hits(
    maps: Float[Tensor, "n h w"],
    masks: Bool[Tensor, "n h w"],
    *,
    seed: int,
    tolerance: float | None = None,
) -> Bool[Tensor, "n"]:
    """Whether the disc of radius `tolerance` (pixels) around a map's peak meets the object.

    `tolerance` is `tolerance_pixels` unless given; 0 asks for the peak itself. A map that prefers no pixel to another
    points nowhere, and so misses.

    Raises: ValueError for a negative tolerance, or a mask without a pixel.
    """
    height, width = maps.shape[1:]
    radius = tolerance_pixels(height, width) if tolerance is None else tolerance
    if radius < 0:
        raise ValueError(f"tolerance is {radius}, expected 0 or more pixels")
    empty = ~masks.flatten(1).any(1)
    if bool(empty.any()):
        raise ValueError(f"mask {int(empty.nonzero()[0, 0])} has no object pixel to point at")
    at = peaks(maps, seed=seed)
    y, x = torch.arange(height), torch.arange(width)
    squared = (y[None, :, None] - at[:, 0, None, None]) ** 2 + (x[None, None, :] - at[:, 1, None, None]) ** 2
    nearest = squared.masked_fill(~masks.cpu(), height**2 + width**2).flatten(1).amin(1)
    return (nearest.double().sqrt() <= radius) & varies(maps.cpu())


def _band(length: int, share: float) -> Bool[Tensor, "length"]:
    """True between the two outer parts of an axis."""
    wide = max(1, math.floor(share * length + 0.5))
    place = torch.arange(length)
    return (place >= wide) & (place < length - wide)


TOP = 0.1


def top_share(maps: Float[Tensor, "n h w"], *, share: float = TOP) -> Float[Tensor, "n"]:
    """The part of a map's positive evidence in its strongest pixels, 0 … 1, in float64; 0 for a map without any.

    The strongest pixels are round(`share`·pixels), at least one; of a uniform map they hold just their share.

    Raises: ValueError unless 0 < `share` ≤ 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}, expected more than 0 and at most 1")
    evidence = positive_scaled(maps.cpu()).double().flatten(1)
    strongest = evidence.topk(max(1, round(share * evidence.shape[1])), dim=1).values.sum(1)
    return strongest / _total(evidence)


def gini(maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n"]:
    """Gini's index of the positive part, in float64: 0 where all pixels are equal, 1 − 1/pixels with a single one.

    0 for a map without positive evidence.
    """
    evidence = positive_scaled(maps.cpu()).double().flatten(1).sort(1).values
    pixels = evidence.shape[1]
    weights = (2 * torch.arange(1, pixels + 1) - pixels - 1).double()
    return ((evidence * weights).sum(1) / (pixels * _total(evidence))).clamp(min=0)


def _total(evidence: Tensor) -> Tensor:
    total = evidence.sum(1)
    return torch.where(total > 0, total, torch.ones_like(total))
