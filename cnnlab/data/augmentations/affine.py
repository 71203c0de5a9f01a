"""Rotation, movement, scale and shear: one affine map per image, all of a batch in one `grid_sample`."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from cnnlab.core.quantities import Probability
from cnnlab.data.augment import Augmentation, Draw, Images, PositiveRange, Share, Targets, check_range
from cnnlab.data.registry import AUGMENTATIONS

Outside = Literal["zero", "edge", "reflect"]
Interpolation = Literal["bilinear", "nearest"]
Degrees = Annotated[float, Field(ge=0, le=180)]
ShearDegrees = Annotated[float, Field(ge=0, lt=90)]

_PADDING_MODES = {"zero": "zeros", "edge": "border", "reflect": "reflection"}


@AUGMENTATIONS.register("rotate")
def rotate(
    *, degrees: Degrees = 15.0, mode: Outside = "zero", interpolation: Interpolation = "bilinear"
) -> Augmentation:
    """Turn about the centre by up to `degrees`, either way.

    What comes from outside the image is black (`zero`), its edge drawn out (`edge`) or mirrored (`reflect`).
    """
    return Affine(degrees=degrees, mode=mode, interpolation=interpolation)


@AUGMENTATIONS.register("affine")
@dataclass(frozen=True, kw_only=True)
class Affine:
    """Shear, scale, turn and move, in this order, about the centre.

    `degrees` and `shear` go either way; `translate` is a share of each side, either way; `scale` is a range of factors,
    above 1 larger. `mode` as in `rotate`.
    """

    degrees: Degrees = 0.0
    translate: Probability = 0.0
    scale: PositiveRange = (1.0, 1.0)
    shear: ShearDegrees = 0.0
    mode: Outside = "zero"
    interpolation: Interpolation = "bilinear"
    on_float: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_range("affine", "scale", self.scale)

    @property
    def moves(self) -> bool:
        """Whether images come to lie elsewhere."""
        return self.translate > 0

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """An angle, a scale, a shear and a shift for each image."""
        height, width = images.shape[2:]
        angles = draw.uniform(-self.degrees, self.degrees)
        scales = draw.uniform(math.log(self.scale[0]), math.log(self.scale[1])).exp()
        shears = draw.uniform(-self.shear, self.shear)
        right = draw.uniform(-self.translate, self.translate) * width
        down = draw.uniform(-self.translate, self.translate) * height
        maps = inverse_maps(angles, scales, shears, right, down)
        return warped(images, maps, self.mode, self.interpolation), targets


@AUGMENTATIONS.register("resized_crop")
@dataclass(frozen=True, kw_only=True)
class ResizedCrop:
    """Cut out a random rectangle and stretch it to the old size.

    `area` is the range of its share of the image, `ratio` that of width over height (Szegedy et al. 2015, "Going
    deeper with convolutions", arXiv:1409.4842, with areas from 0.08).
    """

    area: Share = (0.25, 1.0)
    ratio: PositiveRange = (0.75, 4 / 3)
    interpolation: Interpolation = "bilinear"
    on_float: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_range("resized_crop", "area", self.area)
        check_range("resized_crop", "ratio", self.ratio)

    @property
    def moves(self) -> bool:
        """Whether images come to lie elsewhere."""
        return self.area[0] < 1

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """A rectangle longer than the image is cut to its side."""
        height, width = images.shape[2:]
        area = draw.uniform(*self.area) * (height * width)
        ratio = draw.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])).exp()
        wide = (area * ratio).sqrt().clamp(1, width)
        tall = (area / ratio).sqrt().clamp(1, height)
        right = (draw.uniform() - 0.5) * (width - wide)
        down = (draw.uniform() - 0.5) * (height - tall)
        none = torch.zeros_like(right)
        maps = torch.stack(
            [torch.stack([wide / width, none, right], 1), torch.stack([none, tall / height, down], 1)], 1
        )
        return warped(images, maps, "edge", self.interpolation), targets


def inverse_maps(
    angles: Float[Tensor, "n"],
    scales: Float[Tensor, "n"],
    shears: Float[Tensor, "n"],
    right: Float[Tensor, "n"],
    down: Float[Tensor, "n"],
) -> Float[Tensor, "n 2 3"]:
    """The place from which each output pixel comes: the inverse of shear, scale, turn and shift.

    Angles are degrees, counter-clockwise; shears degrees; shifts pixels. Coordinates are pixels from the image's
    centre, x to the right and y downwards.
    """
    cos, sin = torch.cos(torch.deg2rad(angles)), torch.sin(torch.deg2rad(angles))
    slope = torch.tan(torch.deg2rad(shears))
    # The inverse turn and scale …
    xx, xy, yx, yy = cos / scales, -sin / scales, sin / scales, cos / scales
    # … then the inverse shear: x ← x − slope·y.
    xx, xy = xx - slope * yx, xy - slope * yy
    return torch.stack(
        [
            torch.stack([xx, xy, -(xx * right + xy * down)], 1),
            torch.stack([yx, yy, -(yx * right + yy * down)], 1),
        ],
        1,
    )


def warped(
    images: Float[Tensor, "n c h w"], maps: Float[Tensor, "n 2 3"], mode: Outside, interpolation: Interpolation
) -> Float[Tensor, "n c h w"]:
    """Each image seen through its map from output to input pixels (see `inverse_maps`)."""
    height, width = images.shape[2:]
    # affine_grid measures both axes from −1 to 1, whatever their length in pixels.
    normalised = maps.clone()
    normalised[:, 0, 1] *= height / width
    normalised[:, 1, 0] *= width / height
    normalised[:, 0, 2] *= 2 / width
    normalised[:, 1, 2] *= 2 / height
    grid = F.affine_grid(normalised.to(images.dtype), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode=interpolation, padding_mode=_PADDING_MODES[mode], align_corners=False)
