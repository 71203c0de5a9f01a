"""Layers with weights: convolutions, shared or of their own at every place, and the fully connected layer.

As in every framework, convolutions are cross-correlations (the kernel is not flipped):
    y[o, i, j] = b[o] + Σ_{c, u, v} w[o, c, u, v] · x[c, s·i + d·u − p, s·j + d·v − p]
with stride s, dilation d and padding p; the weight is (out, in/groups, kernel height, kernel width). Output size
along an axis: floor((size + 2p − d(k − 1) − 1)/s) + 1.
Sources: Dumoulin & Visin 2016, arXiv:1603.07285; `torch.nn.Conv2d`; of locally connected layers LeCun 1989,
"Generalization and network design strategies"; Taigman et al. 2014 (DeepFace).
"""

from collections import OrderedDict
from math import sqrt
from typing import Annotated, Any, Literal, cast, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import WithJsonSchema
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape, window_shape
from cnnlab.core.errors import ShapeError
from cnnlab.core.quantities import Pair, Positive
from cnnlab.models.layers.inputs import (
    TORCH_MODES,
    Padding,
    PaddingMode,
    check_groups,
    check_mode,
    flat,
    image,
    pixels,
    word_or,
)
from cnnlab.models.registry import LAYERS

Outputs = Annotated[
    Literal["classes"] | int,
    word_or("classes", Positive, "a whole number above 0 or 'classes' (as many as there are classes) is"),
    WithJsonSchema({"anyOf": [{"const": "classes"}, {"type": "integer", "exclusiveMinimum": 0}]}),
]
"""A number of outputs, or as many as the data has classes."""


@LAYERS.register("conv")
def conv(
    shape: Shape,
    classes: int | None = None,
    *,
    channels: Outputs,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    padding: Padding = "same",
    padding_mode: PaddingMode = "zero",
    dilation: Pair = (1, 1),
    groups: Positive = 1,
    bias: bool = True,
    weight_standardization: bool = False,
) -> nn.Conv2d:
    """A convolution with `channels` outputs, with `channels: classes` as many as classes (as `linear` has them).

    (C, H, W) → (channels, H', W') with H' = floor((H + 2p − d(k − 1) − 1)/s) + 1. `padding: same` is p = d(k − 1)/2:
    with stride 1 it keeps height and width. An even kernel at an odd dilation has no such p and needs a number.
    `groups` cuts the channels into bundles that do not see each other. Parameters: channels·(C/groups)·k·k, and
    `channels` biases. `weight_standardization` gives every filter mean 0 and variance 1/fan-in times a learned gain
    (Brock et al. 2021, arXiv:2101.08692): what networks without a norm use.
    """
    inputs, *_ = image(shape)
    outputs = classes if channels == "classes" else channels
    assert outputs is not None
    check_groups(groups, inputs, outputs)
    pad = pixels(padding, kernel, dilation)
    window_shape(shape, kernel, stride=stride, padding=pad, dilation=dilation)
    check_mode(shape, pad, padding_mode)
    kind = StandardizedConv2d if weight_standardization else nn.Conv2d
    return kind(
        inputs,
        outputs,
        kernel,
        stride=stride,
        padding=pad,
        dilation=dilation,
        groups=groups,
        bias=bias,
        padding_mode=cast(Any, TORCH_MODES[padding_mode]),
    )


@LAYERS.register("depthwise")
def depthwise(
    shape: Shape,
    *,
    multiplier: Positive = 1,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    padding: Padding = "same",
    padding_mode: PaddingMode = "zero",
    dilation: Pair = (1, 1),
    bias: bool = True,
) -> nn.Conv2d:
    """A depthwise convolution: `multiplier` filters of its own for each channel, nothing mixed between channels.

    (C, H, W) → (multiplier·C, H', W'). Parameters: multiplier·C·k·k, and as many biases as outputs. It is `conv` with
    groups = C. Source: Howard et al. 2017 (MobileNets), arXiv:1704.04861.
    """
    inputs, *_ = image(shape)
    return conv(
        shape,
        channels=inputs * multiplier,
        kernel=kernel,
        stride=stride,
        padding=padding,
        padding_mode=padding_mode,
        dilation=dilation,
        groups=inputs,
        bias=bias,
    )


@LAYERS.register("depthwise_separable")
def depthwise_separable(
    shape: Shape,
    *,
    channels: Positive,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    padding: Padding = "same",
    padding_mode: PaddingMode = "zero",
    dilation: Pair = (1, 1),
    bias: bool = True,
) -> nn.Sequential:
    """A depthwise convolution, then a 1×1 convolution that mixes the channels: `conv` at a fraction of the cost.

    (C, H, W) → (channels, H', W'). Parameters: C·k·k + C·channels, and C + channels biases; multiplications per
    output pixel: C·k·k + C·channels instead of C·k·k·channels. Source: Howard et al. 2017 (MobileNets),
    arXiv:1704.04861, section 3.1.
    """
    spatial = depthwise(
        shape,
        kernel=kernel,
        stride=stride,
        padding=padding,
        padding_mode=padding_mode,
        dilation=dilation,
        bias=bias,
    )
    mixing = nn.Conv2d(shape[0], channels, 1, bias=bias)
    return nn.Sequential(OrderedDict(depthwise=spatial, pointwise=mixing))


@final
class StandardizedConv2d(nn.Conv2d):
    """A convolution whose filters are standardised before use: ŵ = g·(w − mean(w))/√(fan_in·var(w)).

    Mean and (biased) variance are each filter's own; g is learned, one per filter. `weight` stays as it is stored.
    Source: Brock, De & Smith 2021, arXiv:2101.08692 (scaled weight standardisation); the floor of 1e-4 is that of the
    authors' code.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.gain = nn.Parameter(torch.ones(self.out_channels, 1, 1, 1))

    def standardized_weight(self) -> Float[Tensor, "o i kh kw"]:
        """The filters that are applied."""
        fan_in = self.weight[0].numel()
        mean = self.weight.mean(dim=(1, 2, 3), keepdim=True)
        variance = self.weight.var(dim=(1, 2, 3), keepdim=True, correction=0)
        return (self.weight - mean) * torch.rsqrt((variance * fan_in).clamp_min(1e-4)) * self.gain

    def forward(self, input: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h2 w2"]:
        """(n, C, H, W) → (n, channels, H', W')."""
        output: Tensor = self._conv_forward(input, self.standardized_weight(), self.bias)
        return output


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


@LAYERS.register("linear")
def linear(shape: Shape, classes: int, *, features: Outputs = "classes", bias: bool = True) -> nn.Linear:
    """Fully connected: y = W·x + b; as many outputs as classes unless `features` says otherwise.

    (F,) → (features,). Parameters: F·features, and `features` biases. An image has to be made flat before, by
    `global_avg_pool` (any image size) or `flatten` (one image size).
    """
    return nn.Linear(flat(shape), classes if features == "classes" else features, bias=bias)
