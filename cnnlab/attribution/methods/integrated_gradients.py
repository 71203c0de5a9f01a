"""Integrated gradients: the gradient averaged along a line from a baseline to the image, and how well it adds up."""

from typing import Annotated, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float64
from pydantic import Field
from torch import Tensor, nn

from cnnlab.attribution.baseline import MEANING, Baseline, baseline_of
from cnnlab.attribution.method import (
    Batch,
    Method,
    MethodMaps,
    Steps,
    UnfitError,
    Work,
    add_to_images,
    passes_for,
    row_chunks,
)
from cnnlab.attribution.passes import input_gradients, logits_of, single_precision
from cnnlab.attribution.target import Target, check_classes

Quadrature: TypeAlias = Literal["gauss_legendre", "midpoint"]


def _passes(
    batch: Batch, *, steps: int, tolerance: float | None, max_steps: int, baseline: object, quadrature: object
) -> int:
    """The passes at most: as if no number of steps met the tolerance."""
    total = 2 * passes_for(batch)
    while True:
        total += passes_for(batch, steps) * (1 + batch.target.count)
        if tolerance is None or 2 * steps > max_steps:
            return total
        steps *= 2


@Method(
    name="integrated_gradients",
    label="integrated gradients",
    kind="pixel",
    sentence="what the pixel adds to the score, against none",
    paper="arXiv:1703.01365",
    passes=_passes,
    first_for=("flatten_dense", "other"),
    unasked=("gallery", "measured"),
)
def integrated_gradients(
    work: Work,
    *,
    baseline: Annotated[Baseline, Field(description=MEANING)] = "zero",
    steps: Annotated[int, Field(ge=1, le=4096, description="Points of the line from the baseline to the image.")] = 32,
    quadrature: Annotated[
        Quadrature, Field(description="How the points lie; Gauss-Legendre is exact for the smoothest scores.")
    ] = "gauss_legendre",
    tolerance: Annotated[
        Annotated[float, Field(gt=0, le=1)] | None,
        Field(description="Steps double until the values miss no more than this share of the score; null: never."),
    ] = None,
    max_steps: Annotated[int, Field(ge=1, le=4096, description="With tolerance: where doubling ends.")] = 512,
) -> Steps[MethodMaps]:
    """What each pixel adds to the score, against a baseline; the values sum to the difference of the scores.

    (x − x') ∫₀¹ ∂S(x' + a (x − x'))/∂x da. Sundararajan et al. 2017, arXiv:1703.01365, equation 1.

    With `tolerance`, `steps` doubles until |delta| ≤ tolerance · |S(x) − S(x')| for every image, or until `max_steps`.
    A pass holds at most `max_batch` points of the line.
    """
    batch = work.batch
    model, images, target, max_batch = batch.model, batch.images, batch.target, batch.max_batch
    start = baseline_of(batch, baseline)
    rows_of_all = torch.arange(len(images))
    ends: list[Tensor] = []
    for end in (images, start):
        parts = []
        for rows in rows_of_all.split(max_batch):
            logits = logits_of(model, end[rows])
            check_classes(target, logits.shape[1])
            parts.append(target.scores(logits, rows))
            yield 1
        ends.append(torch.cat(parts))
    difference = (ends[0] - ends[1]).to(images.device)
    if not bool(difference.isfinite().all()):
        raise UnfitError(
            "the network's answer to the baseline is NaN or infinite, so that there is nothing to add up to (a network "
            "that divides by an image's own range has none for an even one); choose another baseline, such as "
            "integrated_gradients:baseline=noise"
        )
    while True:
        mean = yield from _mean_gradient(model, images, start, target, steps, quadrature, max_batch)
        per_channel = mean * (images - start)[:, None]
        delta = per_channel.sum((2, 3, 4)) - difference
        enough = tolerance is None or bool((delta.abs() <= tolerance * difference.abs()).all())
        if enough or 2 * steps > max_steps:
            break
        steps *= 2
    worst = float((delta.abs() / difference.abs().clamp(min=1e-12)).max())
    notes = (f"with {steps} steps the values add up to within {worst:.2%} of the score's difference",)
    return MethodMaps((per_channel.sum(2),), per_channel, delta, notes)


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
        add_to_images(total, rows, gradients.to(total) * weights[items].to(total).reshape(-1, 1, 1, 1, 1))
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
