"""Gradients at the picture's pixels, averaged over noise where asked."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.attribution.passes import input_gradients
from cnnlab.attribution.steps import Steps, add_to_pictures, row_chunks
from cnnlab.attribution.target import Target


def gradient(model: nn.Module, images: Float[Tensor, "n c h w"], target: Target) -> Steps[Float[Tensor, "n t c h w"]]:
    """∂S/∂x, signed, per channel. Simonyan et al. 2013, arXiv:1312.6034, section 3 (of the logit, as there)."""
    _, gradients = input_gradients(model, images, target, torch.arange(len(images)))
    yield 1 + target.count
    return gradients


def smooth_grad(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    target: Target,
    *,
    samples: int = 25,
    noise: float = 0.15,
    seed: int = 0,
    max_batch: int = 64,
) -> Steps[Float[Tensor, "n t c h w"]]:
    """Mean of ∂S/∂x over `samples` noisy copies of each picture, signed.

    Smilkov et al. 2017, arXiv:1706.03825, section 3: Gaussian noise, its standard deviation `noise` times the picture's
    range (largest less smallest value). Every picture gets the same noise, times its own range, so that no result
    depends on which pictures go through together.
    """
    draws = noise_draws(samples, images, seed)
    ranges = (images.amax((1, 2, 3)) - images.amin((1, 2, 3))).reshape(-1, 1, 1, 1) * noise
    total = torch.zeros(len(images), target.count, *images.shape[1:], dtype=images.dtype, device=images.device)
    for rows, items in row_chunks(len(images), samples, max_batch):
        noisy = images[rows] + ranges[rows] * draws[items].to(images)
        _, gradients = input_gradients(model, noisy, target, rows)
        add_to_pictures(total, rows, gradients.to(total))
        yield 1 + target.count
    return total / samples


def noise_draws(samples: int, images: Float[Tensor, "n c h w"], seed: int) -> Float[Tensor, "s c h w"]:
    """The standard normal noise of `smooth_grad`, drawn on the processor so that every device has the same."""
    return torch.randn(samples, *images.shape[1:], generator=torch.Generator().manual_seed(seed))
