"""Images that move under a window, and what stands at their border."""

from collections.abc import Iterator
from typing import Literal

import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from cnnlab.probe.borders import extended

Border = Literal["reflect", "replicate", "zero", "circular", "canvas"]

BORDERS: dict[str, str] = {
    "reflect": "the mirror image comes in at the border",
    "replicate": "the image's edge is drawn out at the border",
    "zero": "black comes in at the border",
    "circular": "what leaves on one side comes in on the other",
    "canvas": "windows of an image that is enlarged by as much as it moves, so that nothing is made up at the border",
}
"""What each way means."""


def canvas(images: UInt8[Tensor, "n c h w"], most: int, border: Border) -> UInt8[Tensor, "n c h2 w2"]:
    """Images with `most` more pixels on each side.

    Arguments:
        images: bytes.
        most: pixels.
        border: what stands there.
    """
    if border == "zero":
        return F.pad(images, (most,) * 4)
    if border == "canvas":
        size = images.shape[2] + 2 * most, images.shape[3] + 2 * most
        larger = F.interpolate(images.float(), size, mode="bilinear", align_corners=False)
        return larger.round().to(images.dtype)
    return extended(images, (most, most), (most, most), border)


def window(canvases: UInt8[Tensor, "n c h2 w2"], most: int, down: int, right: int) -> UInt8[Tensor, "n c h w"]:
    """The images of `canvas`, moved by so many pixels down and to the right.

    Example:
        >>> import torch
        >>> image = torch.tensor([[[[1, 2, 3]]]], dtype=torch.uint8)
        >>> window(canvas(image.repeat(1, 1, 3, 1), 1, "zero"), 1, 0, 1)[0, 0, 0].tolist()
        [0, 1, 2]
    """
    height, width = canvases.shape[2] - 2 * most, canvases.shape[3] - 2 * most
    return canvases[:, :, most - down : most - down + height, most - right : most - right + width]


def moves(most: int) -> Iterator[tuple[int, int]]:
    """(down, right) of every shift: none first, then up and down, then to the left and to the right, by 1 to `most`."""
    yield 0, 0
    for axis in (0, 1):
        for pixels in (*range(-most, 0), *range(1, most + 1)):
            yield (pixels, 0) if axis == 0 else (0, pixels)
