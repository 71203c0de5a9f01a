"""Pooling: windows without weights, and the step from an image to a flat list of features.

Output size along an axis as for a convolution: floor((size + 2p − k)/s) + 1.
"""

from typing import Annotated, final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape, window_shape
from cnnlab.core.errors import ShapeError
from cnnlab.core.quantities import PaddingPair, Pair
from cnnlab.models.layers.inputs import PaddingMode, check_mode, image
from cnnlab.models.registry import LAYERS


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"is {value}, expected an odd number")
    return value


Odd = Annotated[int, Field(gt=0), AfterValidator(_odd)]


@LAYERS.register("max_pool")
def max_pool(
    shape: Shape,
    *,
    kernel: Pair = (2, 2),
    stride: Pair | None = None,
    padding: PaddingPair = (0, 0),
    ceil_mode: bool = False,
) -> nn.MaxPool2d:
    """The largest value of each window; without `stride` the windows lie side by side.

    (C, H, W) → (C, H', W'). Padding counts as −∞. With `ceil_mode` the size is rounded up: the last window may reach
    beyond the padded image, as long as it begins in it.
    """
    _check_pool(shape, kernel, stride, padding)
    return nn.MaxPool2d(kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)


@LAYERS.register("avg_pool")
def avg_pool(
    shape: Shape,
    *,
    kernel: Pair = (2, 2),
    stride: Pair | None = None,
    padding: PaddingPair = (0, 0),
    count_include_pad: bool = True,
) -> nn.AvgPool2d:
    """The mean of each window; without `stride` the windows lie side by side.

    (C, H, W) → (C, H', W'). Padding counts as 0, or not at all with `count_include_pad: false`.
    """
    _check_pool(shape, kernel, stride, padding)
    return nn.AvgPool2d(kernel, stride=stride, padding=padding, count_include_pad=count_include_pad)


@LAYERS.register("blur_pool")
def blur_pool(
    shape: Shape, *, kernel: Odd = 3, stride: Pair = (2, 2), padding_mode: PaddingMode = "reflect"
) -> "BlurPool2d":
    """Blur with a binomial filter, then keep every `stride`-th pixel: subsampling without aliasing.

    The filter is the outer product of row `kernel` − 1 of Pascal's triangle, divided by its sum: (1, 2, 1)/4 for 3.
    (C, H, W) → (C, ceil(H/s), ceil(W/s)), no parameters. Zhang's max-blur-pool is `max_pool: {kernel: 2, stride: 1}`
    before it.
    Source: Zhang 2019, arXiv:1904.11486, section 3.
    """
    image(shape)
    half = kernel // 2
    check_mode(shape, (half, half), padding_mode)
    return BlurPool2d(kernel, stride, padding_mode)


def binomial(kernel: int) -> Float64[Tensor, "kernel"]:
    """Row `kernel` − 1 of Pascal's triangle, divided by its sum: the weights of a blur along one axis.

    Example:
        >>> binomial(3).tolist()
        [0.25, 0.5, 0.25]
    """
    row = torch.ones(1, dtype=torch.float64)
    for _ in range(kernel - 1):
        row = F.pad(row, (0, 1)) + F.pad(row, (1, 0))
    return row / row.sum()


@LAYERS.register("global_avg_pool")
def global_avg_pool(shape: Shape) -> "GlobalAvgPool2d":
    """The mean of each channel over the whole image: (C, H, W) → (C,), at any image size.

    Source: Lin et al. 2013 (Network in network), arXiv:1312.4400, section 3.2.
    """
    image(shape)
    return GlobalAvgPool2d()


@LAYERS.register("global_max_pool")
def global_max_pool(shape: Shape) -> "GlobalMaxPool2d":
    """The largest value of each channel over the whole image: (C, H, W) → (C,), at any image size."""
    image(shape)
    return GlobalMaxPool2d()


@LAYERS.register("flatten")
def flatten(shape: Shape) -> nn.Flatten:
    """All values in one row, channel by channel: (C, H, W) → (C·H·W,); what follows then fits one image size."""
    image(shape)
    return nn.Flatten()


def _check_pool(
    shape: Shape, kernel: tuple[int, int], stride: tuple[int, int] | None, padding: tuple[int, int]
) -> None:
    image(shape)
    for k, pad in zip(kernel, padding, strict=True):
        if pad > k // 2:
            raise ShapeError(
                f"padding: {pad} is more than half of its kernel of {k}, so that a window could hold nothing but "
                f"padding; at most {k // 2} fits"
            )
    window_shape(shape, kernel, stride=stride or kernel, padding=padding)


@final
class BlurPool2d(nn.Module):
    """See `blur_pool`. `filter` is (kernel, kernel), sums to 1; it follows from the options: no checkpoint has it."""

    filter: Tensor

    def __init__(self, kernel: int, stride: tuple[int, int], padding_mode: PaddingMode) -> None:
        super().__init__()
        self.kernel_size = (kernel, kernel)
        self.stride = stride
        self.padding = (kernel // 2, kernel // 2)
        self.padding_mode = padding_mode
        row = binomial(kernel)
        self.register_buffer("filter", torch.outer(row, row).float(), persistent=False)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        """(n, C, H, W) → (n, C, ceil(H/s), ceil(W/s))."""
        channels = images.shape[1]
        mode = "constant" if self.padding_mode == "zero" else self.padding_mode
        padded = F.pad(images, (self.padding[1], self.padding[1], self.padding[0], self.padding[0]), mode=mode)
        weight = self.filter.to(images.dtype).expand(channels, 1, *self.kernel_size)
        return F.conv2d(padded, weight, stride=self.stride, groups=channels)

    def extra_repr(self) -> str:
        """The options, for printing."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding_mode={self.padding_mode}"


@final
class GlobalAvgPool2d(nn.Module):
    """See `global_avg_pool`."""

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
        """(n, C, H, W) → (n, C)."""
        return images.mean(dim=(2, 3))


@final
class GlobalMaxPool2d(nn.Module):
    """See `global_max_pool`."""

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
        """(n, C, H, W) → (n, C); among equal values the gradient goes to one place, as in a max pool."""
        return images.flatten(2).max(dim=2).values
