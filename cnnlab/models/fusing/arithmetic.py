"""Two layers as one: the weights of a convolution that does a batch norm's work, or that of several in a sum.

In evaluation mode a batch norm is y = s·x + t for each channel, with s = γ/√(variance + ε) and t = β − s·mean. After a
convolution it is one with weights s·W and biases s·b + t; before one that is not padded, with weights W·s and biases
b + Σ W·t. Convolutions of the same input in a sum are one with the sum of their weights, smaller kernels put into the
middle of larger ones. Sources: Ioffe & Szegedy 2015, arXiv:1502.03167, section 3.1; Ding et al. 2021 (RepVGG),
arXiv:2101.03697, section 3.3. All of it is worked out in float64.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from cnnlab.models.convolution_like import convolution_like

Linear = _ConvNd | nn.Linear
"""A layer that multiplies its input by weights and adds biases."""


def scale_and_shift(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """s and t of each channel, in float64."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    shift = -scale * norm.running_mean.double()
    return scale, shift if norm.bias is None else shift + norm.bias.double()


def norm_after(layer: Linear, norm: _BatchNorm) -> Linear:
    """One layer for `layer` and the batch norm of its output.

    Example:
        >>> layer, norm, images = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4).eval(), torch.randn(1, 3, 5, 5)
        >>> torch.allclose(norm(layer(images)), norm_after(layer, norm)(images), atol=1e-6)
        True
    """
    scale, shift = scale_and_shift(norm)
    weight = _outputs_first(layer, layer.weight.double())
    weight = _outputs_first(layer, weight * scale.view(-1, *[1] * (weight.dim() - 1)), back=True)
    return _with(layer, weight, _bias(layer) * scale + shift)


def norm_before(norm: _BatchNorm, layer: Linear) -> Linear:
    """One layer for the batch norm and `layer` after it, which has no padding.

    Example:
        >>> norm, layer, images = nn.BatchNorm2d(3).eval(), nn.Conv2d(3, 4, 3), torch.randn(1, 3, 5, 5)
        >>> torch.allclose(layer(norm(images)), norm_before(norm, layer)(images), atol=1e-6)
        True
    """
    scale, shift = scale_and_shift(norm)
    weight = layer.weight.double()
    groups = layer.groups if isinstance(layer, _ConvNd) else 1
    # weight[o, i] reads channel i of the group that output o is in
    around = [1] * (weight.dim() - 2)
    of_group = [part.repeat_interleave(len(weight) // groups, 0) for part in _by_group(scale, shift, groups)]
    scales, shifts = (part.view(*part.shape, *around) for part in of_group)
    return _with(layer, weight * scales, _bias(layer) + (weight * shifts).flatten(1).sum(1))


def in_sum(terms: Sequence[_ConvNd | _BatchNorm | None], largest: _ConvNd) -> _ConvNd:
    """One convolution for the sum of what `terms` make of the same input; None is the input itself.

    Arguments:
        terms: convolutions of the stride and groups of `largest`, each kernel in the middle of its own; batch norms.
        largest: the one with the largest kernel, whose padding the sum has.

    Example:
        >>> one, norm, images = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4).eval(), torch.randn(1, 4, 5, 5)
        >>> summed = one(images) + norm(images) + images
        >>> torch.allclose(summed, in_sum([one, norm, None], one)(images), atol=1e-6)
        True
    """
    weight = torch.zeros_like(largest.weight, dtype=torch.float64)
    bias = torch.zeros(largest.out_channels, dtype=torch.float64, device=weight.device)
    for term in terms:
        if isinstance(term, _ConvNd):
            weight[_middle(largest, term)] += term.weight.double()
            bias += _bias(term)
            continue
        ones = torch.ones(largest.out_channels, dtype=torch.float64, device=weight.device)
        scale, shift = (ones, torch.zeros_like(ones)) if term is None else scale_and_shift(term)
        places = torch.arange(largest.out_channels, device=weight.device)
        at: tuple[Any, ...] = (places, places % weight.shape[1], *(side // 2 for side in largest.kernel_size))
        weight[at] += scale
        bias += shift
    merged = _with(largest, weight, bias)
    assert isinstance(merged, _ConvNd)
    return merged


def _middle(largest: _ConvNd, term: _ConvNd) -> tuple[slice, ...]:
    """Where the weights of `term` lie in those of `largest`: all outputs and inputs, the middle of the kernel."""
    sides = zip(largest.kernel_size, term.kernel_size, strict=True)
    middle = [slice((wide - side) // 2, (wide - side) // 2 + side) for wide, side in sides]
    return (slice(None), slice(None), *middle)


def _by_group(scale: Tensor, shift: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    return scale.view(groups, -1), shift.view(groups, -1)


def _outputs_first(layer: Linear, weight: Tensor, *, back: bool = False) -> Tensor:
    """The weight of a transposed convolution, (inputs, outputs/groups, …), as (outputs, inputs/groups, …); and back."""
    if not isinstance(layer, _ConvTransposeNd):
        return weight
    rows, columns, *kernel = weight.shape
    apart = weight.view(layer.groups, rows // layer.groups, columns, *kernel)
    return apart.transpose(1, 2).reshape(layer.groups * columns, rows // layer.groups, *kernel)


def _bias(layer: Linear) -> Tensor:
    if layer.bias is not None:
        return layer.bias.double()
    outputs = layer.out_channels if isinstance(layer, _ConvNd) else layer.out_features
    return torch.zeros(outputs, dtype=torch.float64, device=layer.weight.device)


def _with(layer: Linear, weight: Tensor, bias: Tensor) -> Linear:
    """A layer like `layer` with these weights and biases, in its type of numbers."""
    made: Linear
    if isinstance(layer, _ConvNd):
        made = convolution_like(layer, bias=True)
    else:
        kind: Any = type(layer)
        made = kind(layer.in_features, layer.out_features, device=layer.weight.device, dtype=layer.weight.dtype)
    assert made.bias is not None
    with torch.no_grad():
        made.weight.copy_(weight)
        made.bias.copy_(bias)
    made.weight.requires_grad_(layer.weight.requires_grad)
    made.bias.requires_grad_(layer.weight.requires_grad)
    return made.train(layer.training)
