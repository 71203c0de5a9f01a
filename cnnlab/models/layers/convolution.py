"""Convolutions with shared weights.

As in every framework these are cross-correlations (the kernel is not flipped):
    y[o, i, j] = b[o] + Σ_{c, u, v} w[o, c, u, v] · x[c, s·i + d·u − p, s·j + d·v − p]
with stride s, dilation d and padding p; the weight is (out, in/groups, kernel height, kernel width). Output size
along an axis: floor((size + 2p − d(k − 1) − 1)/s) + 1.
Sources: Dumoulin & Visin 2016, arXiv:1603.07285; `torch.nn.Conv2d`.
"""

from collections import OrderedDict
from typing import Any, cast, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape, window_shape
from cnnlab.core.quantities import Pair, Positive
from cnnlab.models.layers.inputs import check_groups, image
from cnnlab.models.layers.padding import TORCH_MODES, Padding, PaddingMode, check_mode, pixels
from cnnlab.models.registry import LAYERS


@LAYERS.register("conv")
def conv(
    shape: Shape,
    *,
    channels: Positive,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    padding: Padding = "same",
    padding_mode: PaddingMode = "zero",
    dilation: Pair = (1, 1),
    groups: Positive = 1,
    bias: bool = True,
    weight_standardization: bool = False,
) -> nn.Conv2d:
    """A convolution with `channels` outputs; its weights do not depend on the image's size.

    (C, H, W) → (channels, H', W') with H' = floor((H + 2p − d(k − 1) − 1)/s) + 1. `padding: same` is p = d(k − 1)/2:
    with stride 1 it keeps height and width. An even kernel at an odd dilation has no such p and needs a number.
    `groups` cuts the channels into bundles that do not see each other. Parameters: channels·(C/groups)·k·k, and
    `channels` biases. `weight_standardization` gives every filter mean 0 and variance 1/fan-in times a learned gain
    (Brock et al. 2021, arXiv:2101.08692): what networks without a norm use.
    """
    inputs, *_ = image(shape)
    check_groups(groups, inputs, channels)
    pad = pixels(padding, kernel, dilation)
    window_shape(shape, kernel, stride=stride, padding=pad, dilation=dilation)
    check_mode(shape, pad, padding_mode)
    kind = StandardizedConv2d if weight_standardization else nn.Conv2d
    return kind(
        inputs,
        channels,
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
