"""Changes of colour and sharpness: the same object in another light, out of focus, or with noise.

The formulas of colour are those of torchvision's `adjust_…`, with a factor of its own for each image.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import NonNegativeNumber, PositiveNumber, Probability
from cnnlab.data.augment import Draw, Images, Targets
from cnnlab.data.registry import AUGMENTATIONS

LUMA = (0.2989, 0.587, 0.114)
"""The brightness of red, green and blue (ITU-R BT.601)."""


@AUGMENTATIONS.register("color_jitter")
@dataclass(frozen=True, kw_only=True)
class ColorJitter:
    """Change brightness, contrast, saturation and hue, in this order.

    The first three are multiplied by a factor from max(0, 1 − x) to 1 + x; the hue moves by up to `hue` turns of the
    colour circle. Images of one channel have neither saturation nor hue.
    """

    brightness: NonNegativeNumber = 0.0
    contrast: NonNegativeNumber = 0.0
    saturation: NonNegativeNumber = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    on_float: ClassVar[bool] = True

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """A factor of its own for each image and each change."""
        colored = _is_colored(images, "color_jitter")
        if self.brightness:
            images = with_brightness(images, _factors(self.brightness, draw))
        if self.contrast:
            images = with_contrast(images, _factors(self.contrast, draw))
        if self.saturation and colored:
            images = with_saturation(images, _factors(self.saturation, draw))
        if self.hue and colored:
            images = with_hue(images, draw.uniform(-self.hue, self.hue))
        return images, targets


@AUGMENTATIONS.register("grayscale")
@dataclass(frozen=True, kw_only=True)
class Grayscale:
    """Take the colour out of some images."""

    probability: Probability = 0.1
    on_float: ClassVar[bool] = True

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """Three equal channels, where there were three."""
        mask = draw.chance(self.probability)
        if _is_colored(images, "grayscale"):
            images = torch.where(mask[:, None, None, None], brightness_of(images), images)
        return images, targets


def _factors(strength: float, draw: Draw) -> Float[Tensor, "n"]:
    return draw.uniform(max(0.0, 1 - strength), 1 + strength)


def _is_colored(images: Images, name: str) -> bool:
    channels = images.shape[1]
    if channels not in (1, 3):
        raise RequestError(f"{name} is for images of 1 or 3 channels; these have {channels}")
    return channels == 3


def brightness_of(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 h w"]:
    """The luma of three channels; a single channel is its own."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue).unsqueeze(1)


def with_brightness(images: Float[Tensor, "n c h w"], factors: Float[Tensor, "n"]) -> Float[Tensor, "n c h w"]:
    """All channels times the factor, cut off at 1."""
    return (images * factors[:, None, None, None]).clamp_(0, 1)


def with_contrast(images: Float[Tensor, "n c h w"], factors: Float[Tensor, "n"]) -> Float[Tensor, "n c h w"]:
    """Distances from the image's mean luma times the factor."""
    mean = brightness_of(images).mean((1, 2, 3), keepdim=True)
    return ((images - mean) * factors[:, None, None, None]).add_(mean).clamp_(0, 1)


def with_saturation(images: Float[Tensor, "n 3 h w"], factors: Float[Tensor, "n"]) -> Float[Tensor, "n 3 h w"]:
    """Distances from the pixel's own luma times the factor."""
    gray = brightness_of(images)
    return ((images - gray) * factors[:, None, None, None]).add_(gray).clamp_(0, 1)


def with_hue(images: Float[Tensor, "n 3 h w"], turns: Float[Tensor, "n"]) -> Float[Tensor, "n 3 h w"]:
    """The hue of HSV moved by `turns` of the colour circle, value and saturation kept.

    Back from HSV by f(k) = v − v·s·clamp(min(k, 4 − k), 0, 1), k = (5, 3, 1) + 6·hue mod 6, for red, green and blue.
    """
    value, low = images.amax(1), images.amin(1)
    chroma = value - low  # v·s
    red, green, blue = images.unbind(1)
    safe = torch.where(chroma > 0, chroma, 1)  # a gray pixel has any hue
    sixths = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    sixths = sixths + 6 * turns[:, None, None]
    channels = []
    for place in (5, 3, 1):
        k = (place + sixths) % 6
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1))
    return torch.stack(channels, 1)


_SHARPEST = 0.1
"""Pixels: a Gaussian this narrow leaves an image as it is."""


@AUGMENTATIONS.register("blur")
@dataclass(frozen=True, kw_only=True)
class Blur:
    """Blur some images by a Gaussian of up to `sigma` pixels, the border mirrored."""

    sigma: PositiveNumber = 1.0
    probability: Probability = 0.5
    on_float: ClassVar[bool] = True

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """A width of its own for each image."""
        sigmas = draw.uniform(min(_SHARPEST, self.sigma), self.sigma)
        sigmas = torch.where(draw.chance(self.probability), sigmas, _SHARPEST)
        return blurred(images, sigmas, radius=math.ceil(3 * self.sigma)), targets


@AUGMENTATIONS.register("noise")
@dataclass(frozen=True, kw_only=True)
class Noise:
    """Add Gaussian noise to some images: `std` in units where black is 0 and white is 1."""

    std: PositiveNumber = 0.05
    probability: Probability = 0.5
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
