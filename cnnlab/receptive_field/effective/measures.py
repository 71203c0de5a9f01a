"""The measures of a map of influence: its side against the theoretical one, its shape, where its mass lies.

Luo, Li, Urtasun and Zemel 2016, arXiv:1701.04128, section 3: a pixel is inside the effective field where its
influence is above 1 − 95.45 % = 4.55 % of the central one (95.45 % is what a normal distribution holds within two σ).
A round Gaussian has the side √(2π ln(1/0.0455)) σ ≈ 4.406 σ.

Section 2: with random weights and without non-linearities a map is the n-fold convolution of the kernels and tends to a
Gaussian; n layers of k × k equal weights give σ = √(n (k² − 1) / 12). It is fitted by the map's second moments.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from cnnlab.receptive_field.effective.mass import (
    CURVE,
    AreaScore,
    Holding,
    Place,
    area_scores,
    check,
    holdings,
    value_at,
)

THRESHOLD = 0.0455
ROUND = 1e-9
"""Relative difference of the principal variances under which neither axis is the longer one."""


@dataclass(frozen=True)
class GaussianFit:
    """Moments of a map taken as a density; all lengths in px.

    A pixel counts by its squared distance, so that a faint background far from the centre widens the fit: `r_squared`
    says whether the map is a Gaussian at all.
    """

    centre: Place
    """Centre of mass (row, column)."""
    sigma_h: float
    """Standard deviation along the rows' axis (vertical) …"""
    sigma_w: float
    """px along the columns' axis (horizontal)."""
    covariance: float
    """Covariance of row and column, px²: positive where the map leans from top left to bottom right."""
    sigma_long: float
    """Standard deviation along the longer principal axis …"""
    sigma_short: float
    """px along the shorter axis."""
    orientation: float | None
    """Degrees, −90 < … ≤ 90, from the horizontal to the longer axis, counter-clockwise as one looks at the image;
    None where both axes are equally long."""
    r_squared: float | None
    """1 − Σ(map − fit)² / Σ(map − mean)², the fit's height by least squares; at most 1, and None where the map has no
    width along some axis (a point, a line) or is the same everywhere."""


def fit_gaussian(influence: Float64[Tensor, "h w"]) -> GaussianFit:
    """The Gaussian with the mean and the covariance of the map.

    Raises: ValueError for a map that is not valid.
    """
    check(influence)
    h, w = influence.shape
    density = influence / influence.sum()
    rows = torch.arange(h, dtype=torch.float64, device=influence.device)
    columns = torch.arange(w, dtype=torch.float64, device=influence.device)
    row, column = float(density.sum(1) @ rows), float(density.sum(0) @ columns)
    rows, columns = rows - row, columns - column
    var_h, var_w = float(density.sum(1) @ rows**2), float(density.sum(0) @ columns**2)
    covariance = float(rows @ density @ columns)
    mean, spread = (var_h + var_w) / 2, math.hypot((var_h - var_w) / 2, covariance)
    # The long axis (cos θ, −sin θ) in (column, row): rows count downwards, angles upwards.
    angle = math.degrees(math.atan2(-2 * covariance, var_w - var_h) / 2)
    return GaussianFit(
        centre=(row, column),
        sigma_h=math.sqrt(var_h),
        sigma_w=math.sqrt(var_w),
        covariance=covariance,
        sigma_long=math.sqrt(mean + spread),
        sigma_short=math.sqrt(max(mean - spread, 0.0)),
        orientation=None if spread <= ROUND * mean else (90.0 if angle <= -90 else angle),
        r_squared=_r_squared(influence, rows, columns, (var_h, var_w, covariance)),
    )


def _r_squared(
    influence: Float64[Tensor, "h w"],
    rows: Float64[Tensor, "h"],
    columns: Float64[Tensor, "w"],
    moments: tuple[float, float, float],
) -> float | None:
    var_h, var_w, covariance = moments
    determinant = var_h * var_w - covariance**2
    variation = float((influence - influence.mean()).square().sum())
    if determinant <= ROUND * (var_h + var_w) ** 2 or variation == 0:
        return None
    cross = torch.outer(rows, columns)
    exponent = var_w * rows[:, None] ** 2 - 2 * covariance * cross + var_h * columns[None, :] ** 2
    shape = torch.exp(-exponent / (2 * determinant))
    height = float((influence * shape).sum() / shape.square().sum())
    return 1 - float((influence - height * shape).square().sum()) / variation


@dataclass(frozen=True)
class Extent:
    """The pixels above a share of the central influence."""

    pixels: int
    side: float
    """√pixels, px: the side of the square of as many pixels. Pixels that dilation steps over do not count."""
    box: tuple[int, int]
    """Height and width in px of the smallest upright rectangle around them, gaps included: much more than `side`
    where the field has holes, or a stray pixel."""
    reaches_border: bool
    """Whether one of them lies on the map's outermost pixels: the field may then be larger than the image shows."""


@dataclass(frozen=True)
class Measures:
    """What a map of influence says. Lengths in px of the input."""

    extent: Extent | None
    """None where the centre itself has no influence, so that nothing can be compared with it."""
    theoretical: tuple[int, int] | None
    """Height and width of the theoretical field, as given."""
    ratio: float | None
    """The effective side over the theoretical one, √(height · width); None where one of them is not known."""
    gaussian: GaussianFit
    holdings: tuple[Holding, ...]
    """Squares and sets for 50, 90 and 95 % of the mass."""
    curve: tuple[Holding, ...]
    """Squares and sets for each per cent of the mass from 1 to 100."""
    linear_scores: tuple[AreaScore, ...]
    """High-contribution area of the map itself."""
    log_scores: tuple[AreaScore, ...]
    """Scores of the log-compressed map, as in the RepLKNet paper; see `mass` on when they are comparable."""


def measure(
    influence: Float64[Tensor, "h w"],
    *,
    centre: Place | None = None,
    theoretical: tuple[int, int] | None = None,
    input_channels: int = 1,
) -> Measures:
    """Every measure of one map.

    `centre` is the field's, (row, column) in px, the map's middle if None; `theoretical` the size of the theoretical
    field (height, width) in px; `input_channels` is what turns the mean over the input's channels back into the sum
    that the area scores are taken of. Those are about pixel (H // 2, W // 2), as published ones are.

    Raises: ValueError for a map that is not valid, or for a centre outside it.
    """
    found = extent(influence, centre=centre)
    ratio = None
    if found is not None and theoretical is not None:
        ratio = found.side / math.sqrt(theoretical[0] * theoretical[1])
    summed = influence * input_channels
    return Measures(
        extent=found,
        theoretical=theoretical,
        ratio=ratio,
        gaussian=fit_gaussian(influence),
        holdings=holdings(influence, centre=centre),
        curve=holdings(influence, shares=CURVE, centre=centre),
        linear_scores=area_scores(summed, scale="linear"),
        log_scores=area_scores(summed, scale="log"),
    )


def extent(influence: Float64[Tensor, "h w"], *, centre: Place | None = None) -> Extent | None:
    """The pixels whose influence is more than `THRESHOLD` of the centre's; None where the centre has none.

    Raises: ValueError for a map that is not valid, or for a centre outside it.
    """
    check(influence)
    against = value_at(influence, centre)
    if against == 0:
        return None
    inside = influence > THRESHOLD * against
    pixels = int(inside.sum())
    rows, columns = inside.nonzero().unbind(1)
    box = (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1)
    border = torch.cat([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
    return Extent(pixels, math.sqrt(pixels), box, bool(border.any()))
