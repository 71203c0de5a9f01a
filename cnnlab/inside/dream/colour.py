"""Colours that vary independently: a basis in which the channels of natural pictures are uncorrelated.

Red, green and blue rise and fall together, so ascent on them one by one gives pictures in garish colours (Olah et al.
2017, doi:10.23915/distill.00007, section "Preconditioning and parameterization").
"""

import torch
from jaxtyping import Float
from torch import Tensor

IMAGENET_COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""U·√S of the covariance U·S·Uᵀ of ImageNet's pixels, rounded: rows red, green, blue; columns light, then the two
opponent directions. Source: the constants published with Olah et al., tensorflow/lucid, `optvis/param/color.py`."""


def decorrelated(pixels: Float[Tensor, "c h w"], directions: Float[Tensor, "c c"]) -> Float[Tensor, "c h w"]:
    """Channels as weighted sums of independent ones; the longest direction has length 1, so that contrast is kept."""
    longest = directions.norm(dim=0).max()
    return torch.einsum("ij,jhw->ihw", directions.to(pixels) / longest.to(pixels), pixels)
