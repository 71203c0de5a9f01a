"""Erased rectangles: the network must not rely on one part of the object."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from cnnlab.core.quantities import Probability
from cnnlab.data.augment import Draw, Images, PositiveRange, Share, Targets, check_range
from cnnlab.data.registry import AUGMENTATIONS

CutSide = Annotated[int, Field(gt=0, le=2048)]
"""Pixels: the largest image has 1024 on a side."""

Fill = Probability | Literal["noise"]
"""A brightness from 0 (black) to 1 (white), or random bytes. 0.5 is close to the mean of most data sets: the papers
erase with 0 after the normalisation, which is the mean."""


@AUGMENTATIONS.register("erase")
@dataclass(frozen=True, kw_only=True)
class Erase:
    """Erase a random rectangle (Zhong et al. 2020, "Random erasing data augmentation", arXiv:1708.04896).

    `area` is the range of its share of the image, `ratio` that of height over width; `value` fills it: a brightness
    from 0 to 1, or `noise`.
    """

    probability: Probability = 0.5
    area: Share = (0.02, 0.33)
    ratio: PositiveRange = (0.3, 3.3)
    value: Fill = 0.5
    on_float: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_range("erase", "area", self.area)
        check_range("erase", "ratio", self.ratio)

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """A rectangle longer than the image is cut to its side (the paper draws again, one image at a time)."""
        height, width = images.shape[2:]
        area = draw.uniform(*self.area) * (height * width)
        ratio = draw.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])).exp()
        tall = (area * ratio).sqrt().round().clamp(1, height)
        wide = (area / ratio).sqrt().round().clamp(1, width)
        top = (draw.uniform() * (height - tall + 1)).floor()
        left = (draw.uniform() * (width - wide + 1)).floor()
        mask = rectangles(top, left, tall, wide, (height, width))
        mask = mask & draw.chance(self.probability)[:, None, None]
        return filled(images, mask, self.value, draw), targets


@AUGMENTATIONS.register("cutout")
@dataclass(frozen=True, kw_only=True)
class Cutout:
    """Erase a square of `size` pixels centred on any pixel, so it may hang over the edge.

    DeVries & Taylor 2017, "Improved regularization of convolutional neural networks with cutout", arXiv:1708.04552.
    """

    size: CutSide = 8
    value: Fill = 0.5
    on_float: ClassVar[bool] = False

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """One square in each image."""
        height, width = images.shape[2:]
        top = (draw.integers(height) - self.size // 2).float()
        left = (draw.integers(width) - self.size // 2).float()
        side = torch.full_like(top, self.size)
        mask = rectangles(top, left, side, side, (height, width))
        return filled(images, mask, self.value, draw), targets


def rectangles(
    top: Float[Tensor, "n"],
    left: Float[Tensor, "n"],
    tall: Float[Tensor, "n"],
    wide: Float[Tensor, "n"],
    size: tuple[int, int],
) -> Bool[Tensor, "n h w"]:
    """True inside each rectangle, which begins at (top, left) and may reach beyond the image of (height, width)."""
    rows = torch.arange(size[0], device=top.device)
    columns = torch.arange(size[1], device=top.device)
    vertical = (rows >= top[:, None]) & (rows < (top + tall)[:, None])
    horizontal = (columns >= left[:, None]) & (columns < (left + wide)[:, None])
    return vertical[:, :, None] & horizontal[:, None, :]


def filled(images: Images, mask: Bool[Tensor, "n h w"], value: float | str, draw: Draw) -> Tensor:
    """The images with `value` (see `Fill`) where `mask` is True."""
    whole = images.dtype == torch.uint8
    if isinstance(value, str):
        noise = torch.randint(256, images.shape, generator=draw.generator, device=images.device, dtype=torch.uint8)
        return torch.where(mask[:, None], noise if whole else noise.to(images.dtype) / 255, images)
    return images.masked_fill(mask[:, None], round(value * 255) if whole else value)
