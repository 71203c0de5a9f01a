"""Views of an image: shifted, turned and scaled a little, so that no answer hangs on single pixels.

Olah et al. 2017, doi:10.23915/distill.00007, section "Transformation robustness".
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Views:
    """How far views may differ from the image; each is drawn evenly from its range."""

    count: int = 4
    """Views a step; their gradients are averaged."""
    jitter: float = 1 / 16
    """Largest shift along an axis, as a share of its pixels; shifts are whole pixels."""
    rotation: float = 5.0
    """Largest turn, in degrees either way."""
    scale: tuple[float, float] = (0.95, 1.05)
    """Magnification."""

    def __post_init__(self) -> None:
        low, high = self.scale
        if self.count < 1 or self.jitter < 0 or self.rotation < 0 or not 0 < low <= high:
            raise ValueError(f"{self}: expected count ≥ 1, jitter and rotation ≥ 0, and 0 < low ≤ high scale")


UNMOVED = Views(count=1, jitter=0.0, rotation=0.0, scale=(1.0, 1.0))
"""The image itself."""


def drawn_views(
    image: Float[Tensor, "c h w"], views: Views, generator: torch.Generator
) -> Float[Tensor, "views c h w"]:
    """Views drawn from `generator`, a CPU generator: the same numbers on every device."""
    height, width = image.shape[1:]

    def even(low: float, high: float) -> Float[Tensor, "views"]:
        return low + (high - low) * torch.rand(views.count, generator=generator)

    most_x, most_y = views.jitter * width, views.jitter * height
    shifts = torch.stack([even(-most_x, most_x).round(), even(-most_y, most_y).round()], dim=1)
    angles = even(-views.rotation, views.rotation)
    return placed(image, shifts=shifts, angles=angles, scales=even(*views.scale))


def placed(
    image: Float[Tensor, "c h w"],
    *,
    shifts: Float[Tensor, "v 2"],
    angles: Float[Tensor, "v"],
    scales: Float[Tensor, "v"],
) -> Float[Tensor, "v c h w"]:
    """The image magnified by `scales`, turned counter-clockwise by `angles` (degrees) about its middle, then shifted.

    Shifts are (right, down) in px. Bilinear, in one go; beyond its border the image is mirrored.
    """
    height, width = image.shape[1:]
    radians = angles * math.pi / 180
    cosine, sine = radians.cos() / scales, radians.sin() / scales
    # From the view back to the image, in px from the middle, y downwards: x = cos·x' − sin·y', y = sin·x' + cos·y'
    x0 = -(cosine * shifts[:, 0] - sine * shifts[:, 1])
    y0 = -(sine * shifts[:, 0] + cosine * shifts[:, 1])
    across = torch.stack([cosine, -sine * height / width, 2 * x0 / width], dim=1)
    down = torch.stack([sine * width / height, cosine, 2 * y0 / height], dim=1)
    count = len(angles)
    theta = torch.stack([across, down], dim=1).to(image)
    grid = F.affine_grid(theta, [count, len(image), height, width], align_corners=False)
    repeated = image.expand(count, -1, -1, -1)
    return F.grid_sample(repeated, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
