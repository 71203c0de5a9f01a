"""A kernel at the border of an image: what is taken to lie outside, and where that makes a difference.

The output has the image's size but without any padding ("valid"). An even kernel has no middle: it reads one pixel more
to the right and below than to the left and above, as `padding="same"` of torch does.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.models.layers.inputs import TORCH_MODES, PaddingMode

Border = Literal["zero", "reflect", "replicate", "circular", "valid"]
BORDERS: tuple[Border, ...] = get_args(Border)

OUTSIDE: dict[Border, str] = {
    "zero": "zeros",
    "reflect": "the image mirrored, without its edge",
    "replicate": "its edge, again and again",
    "circular": "its other side",
    "valid": "nothing: the output is smaller",
}
"""What lies outside, in words."""


def border_of(text: str) -> Border:
    """The border of that name.

    Raises: RequestError where there is none.
    """
    for border in BORDERS:
        if border == text:
            return border
    raise RequestError(
        f"`border` is '{text}', expected {', '.join(BORDERS[:-1])} or {BORDERS[-1]}.{did_you_mean(text, BORDERS)}"
    )


def margins(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Pixels that a kernel of `size` reads beyond an image's (top, bottom, left, right) when it keeps the size."""
    (height, width) = size
    return (height - 1) // 2, height // 2, (width - 1) // 2, width // 2


def inner_part(size: tuple[int, int], kernel: tuple[int, int]) -> Bool[Tensor, "h w"]:
    """True where a kernel's window lies inside an image of `size`."""
    top, bottom, left, right = margins(kernel)
    inner = torch.zeros(size, dtype=torch.bool)
    inner[top : size[0] - bottom, left : size[1] - right] = True
    return inner


def padded(image: Float[Tensor, "c h w"], size: tuple[int, int], border: Border) -> Float[Tensor, "c _ _"]:
    """The image with what a kernel of `size` reads outside of it."""
    if border == "valid":
        return image
    top, bottom, left, right = margins(size)
    mode = TORCH_MODES[border].replace("zeros", "constant")
    return F.pad(image[None], (left, right, top, bottom), mode=mode)[0]


def correlated(image: Float[Tensor, "c h w"], kernel: Float[Tensor, "c kh kw"], border: Border) -> Float[Tensor, "i j"]:
    """The kernel slid over the image as it is, summed over channels."""
    size = (int(kernel.shape[1]), int(kernel.shape[2]))
    return F.conv2d(padded(image, size, border)[None], kernel[None])[0, 0]


@dataclass(frozen=True, eq=False)
class AtTheBorder:
    """The same kernel with one way to continue the image."""

    border: PaddingMode | Border
    output: Float[Tensor, "i j"]
    frame: float | None
    """Mean size of the outputs whose window leaves the image; None where there is none, and without padding."""
    inside: float
    """Mean size of all others."""


@dataclass(frozen=True, eq=False)
class Borders:
    """Every way to continue the image, and where they differ."""

    ways: tuple[AtTheBorder, ...]
    spread: Float[Tensor, "h w"]
    """Largest less smallest output of the padded ones."""
    margins: tuple[int, int, int, int]
    """Rows and columns at (top, bottom, left, right) whose window leaves the image: they may differ."""
    spoiled: int
    """Outputs that do differ by more than rounding …"""
    outputs: int
    """… of so many …"""
    spread_inside: float
    """… and the largest spread where no window leaves the image: nothing but rounding."""


def at_the_borders(image: Float[Tensor, "c h w"], kernel: Float[Tensor, "c kh kw"]) -> Borders:
    """Slide the kernel over the image with every border.

    Arguments:
        image: at least as large as the kernel.
        kernel: one filter.

    Returns:
        The outputs, in the unit of weight × pixel.
    """
    size = (int(kernel.shape[1]), int(kernel.shape[2]))
    inner = inner_part((int(image.shape[1]), int(image.shape[2])), size)
    ways = []
    for border in BORDERS:
        output = correlated(image, kernel, border)
        sizes = output.abs()
        whole = border != "valid"
        frame = float(sizes[~inner].mean()) if whole and not bool(inner.all()) else None
        ways.append(AtTheBorder(border, output, frame, float((sizes[inner] if whole else sizes).mean())))
    stacked = torch.stack([way.output for way in ways if way.border != "valid"])
    spread = stacked.amax(0) - stacked.amin(0)
    rounding = 1e-5 * max(float(stacked.abs().max()), torch.finfo(stacked.dtype).tiny)
    return Borders(
        tuple(ways), spread, margins(size), int((spread > rounding).sum()), spread.numel(), float(spread[inner].max())
    )
