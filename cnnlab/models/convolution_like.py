"""A convolution made like another, with channels, groups or biases of its own."""

from typing import Any

from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd


def convolution_like(
    layer: _ConvNd, *, outputs: int | None = None, groups: int | None = None, bias: bool | None = None
) -> _ConvNd:
    """A new layer of the same kind, window, stride, padding and dilation, on the same device, with fresh weights.

    Arguments:
        layer: that it is like.
        outputs: its output channels; None for those of `layer`.
        groups: into which its channels are divided; None for those of `layer`.
        bias: whether it has biases; None for as `layer` has.

    Example:
        >>> from torch import nn
        >>> convolution_like(nn.Conv2d(4, 8, 3, stride=2), outputs=4, groups=4)
        Conv2d(4, 4, kernel_size=(3, 3), stride=(2, 2), groups=4)
    """
    kind: Any = type(layer)
    options = {"output_padding": layer.output_padding} if isinstance(layer, _ConvTransposeNd) else {}
    made: _ConvNd = kind(
        layer.in_channels,
        layer.out_channels if outputs is None else outputs,
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups if groups is None else groups,
        padding_mode=layer.padding_mode,
        bias=(layer.bias is not None) if bias is None else bias,
        device=layer.weight.device,
        dtype=layer.weight.dtype,
        **options,
    )
    return made
