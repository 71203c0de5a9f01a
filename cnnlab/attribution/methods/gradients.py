"""Gradients at the image's pixels, averaged over noise where asked."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from cnnlab.attribution.method import (
    Batch,
    Method,
    MethodMaps,
    Shared,
    Steps,
    Work,
    add_to_images,
    passes_for,
    row_chunks,
)
from cnnlab.attribution.passes import input_gradients
from cnnlab.attribution.target import Target


def gradient(model: nn.Module, images: Float[Tensor, "n c h w"], target: Target) -> Steps[Float[Tensor, "n t c h w"]]:
    """∂S/∂x, signed, per channel. Simonyan et al. 2013, arXiv:1312.6034, section 3 (of the logit, as there)."""
    _, gradients = input_gradients(model, images, target, torch.arange(len(images)))
    yield 1 + target.count
    return gradients


def input_passes(batch: Batch, **options: object) -> int:
    """Passes of a gradient at the pixels: one forward, and one backward for each score."""
    return 1 + batch.target.count


INPUT_GRADIENT = Shared[Tensor](lambda batch: gradient(batch.model, batch.images, batch.target), input_passes)
"""(n, t, c, h, w)"""


def steepest(values: Float[Tensor, "n t c h w"], notes: tuple[str, ...] = ()) -> MethodMaps:
    """Signed values of each channel as one map: their largest size."""
    return MethodMaps((values.abs().amax(2),), values, notes=notes)


@Method(
    name="gradient",
    label="gradient",
    kind="pixel",
    sentence="how steeply the score changes with the pixel",
    paper="arXiv:1312.6034",
    needs=(INPUT_GRADIENT,),
    signed=False,
    unasked=("gallery", "measured", "sanity"),
)
def gradient_map(work: Work) -> MethodMaps:
    """How steeply the score changes with each pixel: the largest size of ∂S/∂x over colours."""
    return steepest(work.of(INPUT_GRADIENT))


@Method(
    name="gradient_x_input",
    label="gradient × input",
    kind="pixel",
    sentence="the pixel's share of a linear score",
    paper="arXiv:1605.01713",
    needs=(INPUT_GRADIENT,),
    unasked=("audit", "sanity"),
)
def gradient_x_input(work: Work) -> MethodMaps:
    """Each pixel's share of the score, as if the network were linear: Σ x · ∂S/∂x over colours."""
    slopes = work.of(INPUT_GRADIENT)
    values = slopes * work.batch.images[:, None].to(slopes)
    return MethodMaps((values.sum(2),), values)


@Method(
    name="smoothgrad",
    label="SmoothGrad",
    kind="pixel",
    sentence="the gradient averaged over noise",
    paper="arXiv:1706.03825",
    passes=lambda batch, samples, noise: passes_for(batch, samples) * input_passes(batch),
    signed=False,
    unasked=("gallery",),
)
def smoothgrad(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    target: Target,
    seed: int,
    max_batch: int,
    *,
    samples: Annotated[int, Field(ge=1, le=1000, description="Noisy copies of each image.")] = 25,
    noise: Annotated[
        float, Field(ge=0, le=1000, description="Standard deviation of the noise, as a share of the image's range.")
    ] = 0.15,
) -> Steps[MethodMaps]:
    """The gradient averaged over noisy copies of the image.

    Smilkov et al. 2017, arXiv:1706.03825, section 3: Gaussian noise, its standard deviation `noise` times the image's
    range (largest less smallest value). Every image gets the same noise, times its own range, so that no result
    depends on which images go through together.
    """
    draws = noise_draws(samples, images, seed)
    ranges = (images.amax((1, 2, 3)) - images.amin((1, 2, 3))).reshape(-1, 1, 1, 1) * noise
    total = torch.zeros(len(images), target.count, *images.shape[1:], dtype=images.dtype, device=images.device)
    for rows, items in row_chunks(len(images), samples, max_batch):
        noisy = images[rows] + ranges[rows] * draws[items].to(images)
        _, gradients = input_gradients(model, noisy, target, rows)
        add_to_images(total, rows, gradients.to(total))
        yield 1 + target.count
    return steepest(total / samples)


def noise_draws(samples: int, images: Float[Tensor, "n c h w"], seed: int) -> Float[Tensor, "s c h w"]:
    """The standard normal noise of `smoothgrad`, drawn on the processor so that every device has the same."""
    return torch.randn(samples, *images.shape[1:], generator=torch.Generator().manual_seed(seed))
