"""A map of influence: what makes one valid, its middle, its value at a place.

A map is float64 (h, w), non-negative and not all zero; places are (row, column) in px, 0 the middle of the first pixel,
and lie on pixels or half-way between two, as the centres of receptive fields do.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

Place = tuple[float, float]
Reference = Literal["centre", "maximum"]


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
