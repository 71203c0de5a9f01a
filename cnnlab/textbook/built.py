"""Layers from words, as the statements need them: their arithmetic, or themselves."""

from math import prod

import torch
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.layers_lab.run import stack_of
from cnnlab.layers_lab.stack import Arithmetic, arithmetic
from cnnlab.models.build import sequence


def layers(text: str, shape: Shape) -> nn.Sequential:
    """The layers of `KIND key=value … + KIND …` for images of `shape` (channels, height, width).

    A dense layer gets them flattened.
    """
    chosen = stack_of(text)
    if chosen[0].name == "linear":
        shape = (prod(shape),)
    return sequence(chosen, shape, classes=10, owner=text)[0]


def arithmetic_of(text: str, shape: Shape) -> Arithmetic:
    """Their arithmetic; nothing is computed."""
    with torch.device("meta"):
        network = layers(text, shape)
    return arithmetic(network, (prod(shape),) if text.startswith("linear") else shape)


def fields_of(text: str, shape: Shape = (1, 256, 256)) -> tuple[int, ...]:
    """The receptive field of each layer in turn, in px along an axis."""
    return tuple(part.unit.size[0] for part in arithmetic_of(text, shape).parts if part.unit is not None)


def jumps_of(text: str, shape: Shape = (1, 256, 256)) -> tuple[int, ...]:
    """From one unit's field to its neighbour's, in px, of each layer in turn."""
    units = [part.unit for part in arithmetic_of(text, shape).parts]
    return tuple(round(unit.stride[0]) for unit in units if unit is not None and unit.stride is not None)
