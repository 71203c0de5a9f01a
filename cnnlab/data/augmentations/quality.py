"""Worse images: out of focus, or noisy."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cnnlab.core.quantities import PositiveNumber, Probability
from cnnlab.data.augment import Augmentation, Draw, Images, Targets
from cnnlab.data.registry import AUGMENTATIONS

_SHARPEST = 0.1
"""Pixels: a Gaussian this narrow leaves an image as it is."""


@AUGMENTATIONS.register("blur")
def blur(*, sigma: PositiveNumber = 1.0, probability: Probability = 0.5) -> Augmentation:
    """Blur some images by a Gaussian of up to `sigma` pixels, the border mirrored."""
    return Blur(sigma, probability)


@AUGMENTATIONS.register("noise")
def noise(*, std: PositiveNumber = 0.05, probability: Probability = 0.5) -> Augmentation:
    """Add Gaussian noise to some images: `std` in units where black is 0 and white is 1."""
    return Noise(std, probability)


@dataclass(frozen=True)
class Blur:
    """See `blur`."""

    sigma: float
    probability: float
    on_float: ClassVar[bool] = True

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """A width of its own for each image."""
        sigmas = draw.uniform(min(_SHARPEST, self.sigma), self.sigma)
        sigmas = torch.where(draw.chance(self.probability), sigmas, _SHARPEST)
        return blurred(images, sigmas, radius=math.ceil(3 * self.sigma)), targets


@dataclass(frozen=True)
class Noise:
    """See `noise`."""

    std: float
    probability: float
    on_float: ClassVar[bool] = True

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """Independent in every pixel and channel."""
        grains = torch.randn(images.shape, generator=draw.generator, device=images.device)
        strength = self.std * draw.chance(self.probability)
        return (images + grains * strength[:, None, None, None]).clamp_(0, 1), targets


def blurred(images: Float[Tensor, "n c h w"], sigmas: Float[Tensor, "n"], *, radius: int) -> Float[Tensor, "n c h w"]:
    """A Gaussian of width `sigmas` (pixels) for each image, cut off at `radius`: one row pass, one column pass."""
    count, channels, height, width = images.shape
    radius = min(radius, height - 1, width - 1)  # a border is mirrored no further than the image reaches
    distance = torch.arange(-radius, radius + 1, device=images.device)
    weights = torch.exp(-0.5 * (distance / sigmas[:, None]) ** 2)
    weights = (weights / weights.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None, None, :]
    # Images as channels of one image, so that each has its own kernel.
    flat = F.pad(images.reshape(1, count * channels, height, width), (radius,) * 4, mode="reflect")
    flat = F.conv2d(flat, weights, groups=count * channels)
    flat = F.conv2d(flat, weights.transpose(2, 3), groups=count * channels)
    return flat.view(count, channels, height, width)
