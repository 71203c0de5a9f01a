"""From an image of any size to one of a network's: what is cut out, in what size it is seen, and where bars are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from cnnlab.core.errors import RequestError

Fit = Literal["crop", "letterbox", "stretch"]
"""How an image takes another shape: the middle is cut out, black bars are added, or it is stretched."""

FitWord = Literal["crop", "letterbox", "pad", "stretch"]
"""What a config or an option may say; `pad` is another word for letterbox."""

FITS: Mapping[FitWord, Fit] = {"crop": "crop", "letterbox": "letterbox", "pad": "letterbox", "stretch": "stretch"}
"""What each word means."""

Interpolation = Literal["bilinear", "bicubic"]
"""The filter of a change of size; where the image becomes smaller it is as much wider (anti-aliased)."""

LONGEST = 16
"""Of an image that would become more than so many times as large as what is seen of it, that part alone is resized."""

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class Window:
    """What becomes of one image: a part of it is brought to a size, and a window of that is what the network sees."""

    cut: tuple[int, int, int, int]
    """The part's upper left corner (row, column), height and width, in pixels of the image."""
    resized: tuple[int, int]
    """(height, width) of that part afterwards, in pixels of the network."""
    corner: tuple[int, int]
    """The window's upper left corner in it; below 0 where there are bars."""


@dataclass(frozen=True)
class Fitting:
    """How images of any size come to one size."""

    size: tuple[int, int]
    """(height, width) in pixels."""
    fit: Fit = "crop"
    interpolation: Interpolation = "bilinear"
    crop_share: float | None = None
    """Share of each side that is kept where the image is first resized and then cut, as the evaluations of torchvision
    and timm do it (224 / 256); None: the cut comes first and leaves out as little as it can."""

    def __post_init__(self) -> None:
        if self.crop_share is None:
            return
        if not 0 < self.crop_share <= 1:
            raise RequestError(f"crop_share is {self.crop_share}, expected a share above 0, at most 1")
        if self.fit == "letterbox":
            raise RequestError("crop_share cuts the image, and fit: letterbox keeps all of it; leave one out")

    @property
    def sentence(self) -> str:
        """What becomes of an image, as a part of a sentence."""
        high, wide = self.size
        filtered = "" if self.interpolation == "bilinear" else f" ({self.interpolation})"
        if self.crop_share is None:
            ratio, square = f"{high} : {wide}", high == wide
            ways: dict[Fit, str] = {
                "crop": "the middle square is cut out" if square else f"the middle is cut out in the ratio {ratio}",
                "letterbox": "black bars make it square" if square else f"black bars give it the ratio {ratio}",
                "stretch": "stretched",
            }
            return f"{ways[self.fit]}, resized to {high} × {wide} px{filtered}"
        first = self._before_the_cut
        if self.fit == "stretch":
            way = f"stretched to {first[0]} × {first[1]} px"
        elif high == wide:
            way = f"its shorter side resized to {first[0]} px"
        else:
            way = f"resized to at least {first[0]} × {first[1]} px"
        return f"{way}{filtered}, the middle {high} × {wide} px cut out"

    @property
    def _before_the_cut(self) -> tuple[int, int]:
        """(height, width) that the image at least has before its middle is cut out."""
        share = self.crop_share or 1.0
        return max(self.size[0], round(self.size[0] / share)), max(self.size[1], round(self.size[1] / share))

    def as_json(self) -> dict[str, Any]:
        """The fitting without its size, as plain data."""
        return {"fit": self.fit, "interpolation": self.interpolation, "crop_share": self.crop_share}

    def window(self, height: int, width: int) -> Window:
        """The part of an image of `height` × `width` pixels that is seen, and how.

        A middle is rounded as `torchvision.transforms.v2.functional.center_crop` rounds it, a resized side as `Resize`.
        """
        high, wide = self.size
        if self.crop_share is not None:
            high, wide = self._before_the_cut
            if self.fit == "crop" and height * wide <= width * high:
                wide = max(wide, int(high * width / height))
            elif self.fit == "crop":
                high = max(high, int(wide * height / width))
            corner = round((high - self.size[0]) / 2), round((wide - self.size[1]) / 2)
            return Window((0, 0, height, width), (high, wide), corner)
        if self.fit == "stretch":
            return Window((0, 0, height, width), self.size, (0, 0))
        if self.fit == "letterbox":
            scale = min(high / height, wide / width)
            tall, broad = max(1, round(height * scale)), max(1, round(width * scale))
            return Window((0, 0, height, width), (tall, broad), (-((high - tall) // 2), -((wide - broad) // 2)))
        if height * wide <= width * high:
            tall, broad = height, max(1, round(height * wide / high))
        else:
            tall, broad = max(1, round(width * high / wide)), width
        return Window((round((height - tall) / 2), round((width - broad) / 2), tall, broad), self.size, (0, 0))

    def __call__(self, image: UInt8[Tensor, "c h w"]) -> UInt8[Tensor, "c height width"]:
        """The image in this size.

        Example:
            >>> photo = torch.zeros(3, 480, 640, dtype=torch.uint8)
            >>> Fitting((64, 160), "letterbox")(photo).shape
            torch.Size([3, 64, 160])
        """
        found = self.window(*image.shape[1:])
        if self.crop_share is not None:
            return _by_pillow(image, self.size, found, self.interpolation)
        top, left, height, width = found.cut
        # cut first: the other order would enlarge an image of 1 × 10,000 pixels beyond all bounds
        image = image[:, top : top + height, left : left + width]
        resized = _resized(image, *found.resized, self.interpolation)
        above, before = (-start for start in found.corner)
        (high, wide), (tall, broad) = self.size, found.resized
        if (tall, broad) == (high, wide):
            return resized.contiguous()
        return F.pad(resized, (before, wide - broad - before, above, high - tall - above)).contiguous()


def _resized(
    image: UInt8[Tensor, "c h w"], height: int, width: int, interpolation: Interpolation
) -> UInt8[Tensor, "c height width"]:
    """An image of one or three channels in another size, by an anti-aliased filter."""
    from torchvision.transforms.v2 import functional

    if width == 1 or interpolation != "bilinear":
        # torch 2.14 fails on a single column, or gives its first pixel everywhere: another fault on each kind of CPU
        whole = Window((0, 0, *image.shape[1:]), (height, width), (0, 0))
        return _by_pillow(image, (height, width), whole, interpolation)
    made: Tensor = functional.resize(image, [height, width], antialias=True)
    return made


def _by_pillow(
    image: UInt8[Tensor, "c h w"], size: tuple[int, int], window: Window, interpolation: Interpolation
) -> UInt8[Tensor, "c height width"]:
    """The window of the resized image, as pillow makes it."""
    (top, left), (high, wide) = window.corner, window.resized
    height, width = image.shape[1:]
    pixels, box = Image.fromarray(image.permute(1, 2, 0).squeeze(2).numpy()), None
    if high * wide > LONGEST * size[0] * size[1]:
        rows, columns = height / high, width / wide
        right, bottom = min(width, (left + size[1]) * columns), min(height, (top + size[0]) * rows)
        box, (high, wide), top, left = (left * columns, top * rows, right, bottom), size, 0, 0
    made = np.array(pixels.resize((wide, high), _FILTERS[interpolation], box=box)).reshape(high, wide, -1)
    seen = np.ascontiguousarray(made[top : top + size[0], left : left + size[1]])
    return torch.from_numpy(seen).permute(2, 0, 1).contiguous()
