"""Integrated gradients: the gradient averaged along a line from a baseline to the picture, and how well it adds up."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from cnnlab.attribution.passes import input_gradients, logits_of, single_precision
from cnnlab.attribution.steps import Steps, add_to_pictures, passes_for, row_chunks
from cnnlab.attribution.target import Target, check_classes

Quadrature: TypeAlias = Literal["gauss_legendre", "midpoint"]


@dataclass(frozen=True, eq=False)
class IntegratedGradients:
    """What each value of the picture adds to the score, against the baseline's."""

    per_channel: Float[Tensor, "n t c h w"]
    delta: Float[Tensor, "n t"]
    """Sum of all values less S(x) − S(baseline): 0 if the integral were exact (completeness)."""
    difference: Float[Tensor, "n t"]
    """S(x) − S(baseline)."""
    steps: int
    """Points of the line that were used."""


def integrated_gradients(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    target: Target,
    *,
    baseline: Float[Tensor, "*b"] | None = None,
    steps: int = 32,
    quadrature: Quadrature = "gauss_legendre",
    tolerance: float | None = None,
    max_steps: int = 512,
    max_batch: int = 64,
) -> Steps[IntegratedGradients]:
    """(x − x') ∫₀¹ ∂S(x' + a (x − x'))/∂x da. Sundararajan et al. 2017, arXiv:1703.01365, equation 1.

    `baseline` x' broadcasts against the pictures; None is 0 in the network's own units, which is the mean colour where
    pictures are normalised, and not black. With `tolerance`, `steps` doubles until |delta| ≤ tolerance · |S(x) − S(x')|
    for every picture, or until `max_steps`. A pass holds at most `max_batch` points of the line.
    """
    start = torch.zeros_like(images) if baseline is None else baseline.to(images).expand_as(images)
    pictures = torch.arange(len(images))
    ends: list[Tensor] = []
    for end in (images, start):
        parts = []
        for rows in pictures.split(max_batch):
            logits = logits_of(model, end[rows])
            check_classes(target, logits.shape[1])
            parts.append(target.scores(logits, rows))
            yield 1
        ends.append(torch.cat(parts))
    difference = (ends[0] - ends[1]).to(images.device)
    while True:
        mean = yield from _mean_gradient(model, images, start, target, steps, quadrature, max_batch)
        per_channel = mean * (images - start)[:, None]
        delta = per_channel.sum((2, 3, 4)) - difference
        enough = tolerance is None or bool((delta.abs() <= tolerance * difference.abs()).all())
        if enough or 2 * steps > max_steps:
            return IntegratedGradients(per_channel, delta, difference, steps)
        steps *= 2


def most_passes(n: int, count: int, *, steps: int, tolerance: float | None, max_steps: int, max_batch: int) -> int:
    """Passes for n pictures and `count` scores each, at most: as if no number of steps met a tolerance."""
    total = 2 * passes_for(n, max_batch)
    while True:
        total += passes_for(n * steps, max_batch) * (1 + count)
        if tolerance is None or 2 * steps > max_steps:
            return total
        steps *= 2


def _mean_gradient(
    model: nn.Module,
    images: Tensor,
    start: Tensor,
    target: Target,
    steps: int,
    quadrature: Quadrature,
    max_batch: int,
) -> Steps[Tensor]:
    places, weights = (points.to(images) for points in quadrature_points(steps, quadrature))
    dtype = single_precision(images[:0]).dtype
    total = torch.zeros(len(images), target.count, *images.shape[1:], dtype=dtype, device=images.device)
    for rows, items in row_chunks(len(images), steps, max_batch):
        along = places[items].reshape(-1, 1, 1, 1)
        _, gradients = input_gradients(model, start[rows] + along * (images - start)[rows], target, rows)
        add_to_pictures(total, rows, gradients.to(total) * weights[items].to(total).reshape(-1, 1, 1, 1, 1))
        yield 1 + target.count
    return total


def quadrature_points(steps: int, quadrature: Quadrature) -> tuple[Float64[Tensor, "s"], Float64[Tensor, "s"]]:
    """Places in 0 … 1 and weights that sum to 1; Gauss-Legendre is exact for polynomials of degree 2 · steps − 1."""
    if quadrature == "midpoint":
        return (torch.arange(steps, dtype=torch.float64) + 0.5) / steps, torch.full(
            (steps,), 1 / steps, dtype=torch.float64
        )
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return torch.from_numpy((nodes + 1) / 2), torch.from_numpy(weights / 2)
