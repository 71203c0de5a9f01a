"""Other means to the same input and output shape: every output from every input, or by windows with or without sharing.

A convolution is a dense layer under two constraints: an output sees a window only (local), and all places have the same
weights (shared). Source: LeCun 1989, "Generalization and network design strategies".
"""

from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import nn

from cnnlab.layers_lab.stack import Arithmetic, Part, counts_of, parameters_of
from cnnlab.models.layers.convolution import conv, linear, locally_connected

Means = Literal["dense", "locally connected", "convolution"]

_MOST_WEIGHTS = 2**60
"""Most weights of a layer that torch can describe: their bytes are counted in 64 bits."""


@dataclass(frozen=True)
class Alternative:
    """One layer with that input and output."""

    means: Means
    weights: int
    biases: int
    macs: int
    """Multiply-accumulates for one image."""
    is_this: bool
    """Whether it is the layer itself."""


def alternatives(layer: Arithmetic) -> tuple[Alternative, ...]:
    """Dense, then (where the layer is a single window) locally connected and convolution; empty for a layer that
    multiplies nothing with weights, and where torch cannot count the dense one's. They have biases if the layer has.
    """
    dense_weights = prod(layer.input) * prod(layer.output)
    if not (layer.weights and layer.macs) or dense_weights > _MOST_WEIGHTS:
        return ()
    bias = layer.biases > 0
    with torch.device("meta"):
        dense = linear((prod(layer.input),), 1, features=prod(layer.output), bias=bias)
    made = [_counted("dense", dense, is_this=_is_only(layer, "Linear"))]
    windowed = [part for part in layer.parts if part.window is not None]
    if len(windowed) == 1 and len(layer.parts) == 1:
        made += _windowed(windowed[0], bias)
    return tuple(made)


def _is_only(layer: Arithmetic, kind: str) -> bool:
    """Whether nothing else has weights."""
    return [part.kind for part in layer.parts if part.parameters] == [kind]


def _windowed(part: Part, bias: bool) -> list[Alternative]:
    """Local windows, first with weights for each place, then shared."""
    window = part.window
    if window is None or window.output_padding is not None:
        return []
    # what a unit sees of the channels: all of them, or those of its group
    (weight,) = (tensor for tensor in part.parameters if tensor.name.endswith("weight"))
    seen = weight.shape[weight.axes.index("kernel height") - 1]
    shape = (seen, part.input[1], part.input[2])
    with torch.device("meta"):
        local, shared = (
            layer(
                shape,
                channels=part.output[0],
                kernel=window.kernel,
                stride=window.stride,
                padding=window.padding,
                dilation=window.dilation,
                bias=bias,
            )
            for layer in (locally_connected, conv)
        )
    unshared = _counted("locally connected", local, is_this=part.kind == "LocallyConnected2d")
    # sharing weights saves none of the multiplications
    return [unshared, _counted("convolution", shared, unshared.macs, is_this=not unshared.is_this)]


def _counted(means: Means, module: nn.Module, macs: int | None = None, *, is_this: bool) -> Alternative:
    """Without sharing each weight multiplies one value, so that there are as many multiplications as weights."""
    weights, biases = counts_of(parameters_of(module))
    return Alternative(means, weights, biases, weights if macs is None else macs, is_this)
