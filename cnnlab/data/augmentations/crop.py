"""Images mirrored, or moved by a few pixels: whole pixels change places, none is worked out anew."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int64
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import NonNegative, Probability
from cnnlab.data.augment import Draw, Images, Targets
from cnnlab.data.registry import AUGMENTATIONS

Border = Literal["zero", "reflect"]


@AUGMENTATIONS.register("crop")
@dataclass(frozen=True, kw_only=True)
class Crop:
    """Pad each side by `padding` pixels and cut a random window of the old size.

    The border is black (`zero`) or mirrors the image (`reflect`, its edge not repeated).
    """

    padding: NonNegative = 4
    mode: Border = "zero"
    on_float: ClassVar[bool] = False

    @property
    def moves(self) -> bool:
        """Whether images come to lie elsewhere."""
        return self.padding > 0

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """Every offset of the window is as likely as any other."""
        side = min(images.shape[2:])
        if self.padding >= side and self.mode == "zero":
            raise RequestError(
                f"crop: with a padding of {self.padding} some windows have nothing of an image of {images.shape[2]}×"
                f"{images.shape[3]} pixels; padding is at most {side - 1} here"
            )
        offsets = 2 * self.padding + 1
        tops, lefts = draw.integers(offsets), draw.integers(offsets)
        return windows(
            padded(images, self.padding, self.mode), tops, lefts, (images.shape[2], images.shape[3])
        ), targets


def padded(images: Images, padding: int, mode: Border) -> Tensor:
    """`padding` more pixels on each side.

    Raises: RequestError when an image is too small to be mirrored that far.
    """
    if mode == "zero":
        return F.pad(images, (padding, padding, padding, padding))
    height, width = images.shape[2:]
    if padding >= min(height, width):
        raise RequestError(
            f"crop: an image of {height}×{width} pixels cannot be mirrored by {padding}; "
            f"padding is at most {min(height, width) - 1} here, or use mode: zero"
        )
    # By hand: torch's reflection of bytes is not there on every device.
    for dim in (3, 2):
        size = images.shape[dim]
        before, after = images.narrow(dim, 1, padding), images.narrow(dim, size - padding - 1, padding)
        images = torch.cat([before.flip(dim), images, after.flip(dim)], dim)
    return images


def windows(images: Images, tops: Int64[Tensor, "n"], lefts: Int64[Tensor, "n"], size: tuple[int, int]) -> Tensor:
    """The (height, width) window of each image whose upper left corner is at (top, left).

    A window is a list of rows, and a row is `width` neighbours in memory. Seen as a matrix whose row k begins at
    element k (the rows overlap), the whole batch is one `index_select`, which copies row by row: on a CPU 5 to 10 times
    as fast as indexing pixel by pixel.
    """
    images = images.contiguous()
    count, channels, full_height, full_width = images.shape
    height, width = size
    device = images.device
    overlapping = images.as_strided((images.numel() - width + 1, width), (1, 1))
    corners = torch.arange(count, device=device) * (channels * full_height * full_width) + tops * full_width + lefts
    within = (
        torch.arange(channels, device=device)[:, None] * (full_height * full_width)
        + torch.arange(height, device=device) * full_width
    )
    starts = corners[:, None] + within.flatten()
    return overlapping.index_select(0, starts.flatten()).view(count, channels, height, width)


FlipMode = Literal["random", "alternate"]


@AUGMENTATIONS.register("flip")
@dataclass(frozen=True, kw_only=True)
class Flip:
    """Mirror left and right.

    `random` decides anew in each epoch. `alternate` decides once for each image and turns it over in every odd epoch,
    so that two epochs show every image both ways (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU",
    arXiv:2404.00498).
    """

    mode: FlipMode = "random"
    probability: Probability = 0.5
    on_float: ClassVar[bool] = False

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """The parity is that of the absolute epoch, so that a resumed run goes on as if it had not stopped."""
        if self.mode == "random":
            mask = draw.chance(self.probability)
        else:
            mask = draw.fixed("flip") < self.probability
            if draw.epoch % 2 == 1:
                mask = ~mask
        return mirrored(images, mask, dim=3), targets


@AUGMENTATIONS.register("vertical_flip")
@dataclass(frozen=True, kw_only=True)
class VerticalFlip:
    """Mirror top and bottom: for images without an upright, from above or through a microscope."""

    probability: Probability = 0.5
    on_float: ClassVar[bool] = False

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """Each image on its own."""
        return mirrored(images, draw.chance(self.probability), dim=2), targets


def mirrored(images: Images, mask: Bool[Tensor, "n"], *, dim: int) -> Tensor:
    """The images, those where `mask` is True reversed along `dim`.

    Choosing whole images from both versions is a copy of memory, three times as fast on a CPU as `torch.where`.
    """
    count = len(images)
    both = torch.cat([images, images.flip(dim)])
    return both.index_select(0, torch.arange(count, device=images.device) + count * mask)
