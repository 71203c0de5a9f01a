"""Locally connected: a window like a convolution's, and weights of its own at every place.

Source: LeCun 1989, "Generalization and network design strategies"; Taigman et al. 2014 (DeepFace).
"""

from math import sqrt
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape, window_shape
from cnnlab.core.errors import ShapeError
from cnnlab.core.quantities import Pair, Positive
from cnnlab.models.layers.inputs import image
from cnnlab.models.layers.padding import Padding, pixels
from cnnlab.models.registry import LAYERS


@LAYERS.register("locally_connected")
def locally_connected(
    shape: Shape,
    *,
    channels: Positive,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    padding: Padding = "same",
    dilation: Pair = (1, 1),
    bias: bool = True,
) -> "LocallyConnected2d":
    """A convolution without weight sharing: local windows, other weights at every output place.

    y[o, i, j] = b[o, i, j] + Σ_{c, u, v} w[i, j, o, c, u, v] · x[c, s·i + d·u − p, s·j + d·v − p]. (C, H, W) →
    (channels, H', W') as for `conv`. Parameters: H'·W'·channels·C·k·k, and H'·W'·channels biases; it works at the one
    image size that it was built for.
    """
    pad = pixels(padding, kernel, dilation)
    image(shape)
    window_shape(shape, kernel, stride=stride, padding=pad, dilation=dilation)
    return LocallyConnected2d(shape, channels, kernel, stride=stride, padding=pad, dilation=dilation, bias=bias)


@final
class LocallyConnected2d(nn.Module):
    """See `locally_connected`. `weight` is (H', W', out, in, kernel height, kernel width), `bias` (out, H', W')."""

    def __init__(
        self,
        shape: Shape,
        channels: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.input_size = (shape[1], shape[2])
        self.output_size = window_shape(shape, kernel, stride=stride, padding=padding, dilation=dilation)
        self.kernel_size, self.stride, self.padding, self.dilation = kernel, stride, padding, dilation
        self.weight = nn.Parameter(torch.empty(*self.output_size, channels, shape[0], *kernel))
        self.bias = nn.Parameter(torch.empty(channels, *self.output_size)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√fan_in, as `torch.nn.Conv2d` starts."""
        bound = 1 / sqrt(self.weight[0, 0, 0].numel())
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o h2 w2"]:
        """(n, C, H, W) → (n, channels, H', W').

        Raises: ShapeError for another image size than the one it was built for.
        """
        size = (images.shape[2], images.shape[3])
        if size != self.input_size:
            (height, width), (built_height, built_width) = size, self.input_size
            raise ShapeError(
                f"locally_connected has weights for {built_height}×{built_width} images only, not {height}×{width}"
            )
        windows = F.unfold(images, self.kernel_size, self.dilation, self.padding, self.stride)
        weight = self.weight.flatten(3).flatten(0, 1)
        outputs: Tensor = torch.einsum("nkp,pok->nop", windows, weight).unflatten(2, self.output_size)
        return outputs if self.bias is None else outputs + self.bias

    def extra_repr(self) -> str:
        """The options, for printing."""
        _, _, channels, inputs, *_ = self.weight.shape
        return (
            f"{inputs}, {channels}, size={self.input_size}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, bias={self.bias is not None}"
        )
