"""The Gaussian that has a map's second moments, and how well it describes the map.

Luo, Li, Urtasun and Zemel 2016, arXiv:1701.04128, section 2: with random weights and without non-linearities a map is
the n-fold convolution of the kernels and tends to a Gaussian; n layers of k × k equal weights give
σ = √(n (k² − 1) / 12).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from cnnlab.receptive_field.effective.mass import Place, check

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
