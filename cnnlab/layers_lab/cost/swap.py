"""The same network with cheaper convolutions: each dense k × k one becomes a depthwise and a pointwise one.

For C inputs and N outputs a dense convolution has C·N·k² weights, the two have C·k² + C·N: the share 1/N + 1/k² of it.
Source: Howard et al. 2017 (MobileNets), arXiv:1704.04861, section 3.1.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from cnnlab.core.errors import RequestError, unknown
from cnnlab.models.build import Model
from cnnlab.models.convolution_like import convolution_like
from cnnlab.models.tensors import copied

DENSE = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""What is taken apart; a class derived from one of them does something else with its weights or its input."""


@dataclass(frozen=True)
class Swapped:
    """A convolution in whose place two others stand."""

    layer: str
    """Its path."""
    place: str
    """Where the config names it, as `file:line:column`; empty for a network without one."""
    kernel: tuple[int, ...]
    """In pixels."""
    inputs: int
    """Channels."""
    outputs: int
    weights: int
    """Before, without biases."""
    weights_after: int

    @property
    def share(self) -> float:
        """What is left of the weights, by the closed form 1/N + 1/k²."""
        return 1 / self.outputs + 1 / prod(self.kernel)


@dataclass(frozen=True)
class Kept:
    """A convolution that stays as it is."""

    layer: str
    place: str
    why: str


@dataclass(frozen=True, eq=False)
class Swap:
    """A network whose convolutions were exchanged where that is possible."""

    name: str
    model: nn.Module
    """With random weights in what is new."""
    swapped: tuple[Swapped, ...]
    kept: tuple[Kept, ...]


def depthwise_separable(model: nn.Module) -> Swap:
    """A copy of a network in which each dense convolution is a depthwise one followed by a pointwise one.

    Both have biases where the dense one has; kernel, stride, padding and dilation are the depthwise one's.

    Arguments:
        model: is not changed.

    Returns:
        The copy, what was exchanged, and what was not and why. The new weights are random, from a fixed seed.

    Raises:
        RequestError: where there is no dense convolution.

    Example:
        >>> found = depthwise_separable(nn.Sequential(nn.Conv2d(64, 64, 3, bias=False)))
        >>> found.swapped[0].weights, found.swapped[0].weights_after
        (36864, 4672)
    """
    twin = copied(model)
    places = model.places if isinstance(model, Model) else {}
    swapped: list[Swapped] = []
    kept: list[Kept] = []
    instead: dict[nn.Module, nn.Module] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, module in twin.named_modules():
            if not isinstance(module, _ConvNd):
                continue
            place = _place(name, places)
            if why := _not_dense(module):
                kept.append(Kept(name, place, why))
                continue
            depthwise, pointwise = _separated(module)
            pair = nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))
            instead[module] = pair.train(module.training)
            weights = depthwise.weight.numel() + pointwise.weight.numel()
            swapped.append(
                Swapped(
                    name,
                    place,
                    tuple(module.kernel_size),
                    module.in_channels,
                    module.out_channels,
                    module.weight.numel(),
                    weights,
                )
            )
    if not swapped:
        why = f": {kept[0].layer} is {kept[0].why}" if kept else ""
        raise RequestError(f"the network has no dense convolution to separate{why}")
    if twin in instead:  # the network is a single convolution
        twin = instead[twin]
    for module in list(twin.modules()):
        for name, child in module._modules.items():
            if child in instead:
                module._modules[name] = instead[child]
    return Swap("depthwise separable", twin, tuple(swapped), tuple(kept))


SWAPS: Mapping[str, Callable[[nn.Module], Swap]] = {"depthwise_separable": depthwise_separable}
"""What convolutions can be exchanged for, by name."""


def swap_of(name: str) -> Callable[[nn.Module], Swap]:
    """What makes the exchange of that name.

    Raises: RequestError where there is none, with the nearest name.
    """
    if name not in SWAPS:
        raise RequestError(f"`swap`: {unknown('exchange', name, SWAPS)}")
    return SWAPS[name]


def _not_dense(module: _ConvNd) -> str:
    """Why a convolution is not taken apart; empty where it is."""
    size = " × ".join(map(str, module.kernel_size))
    if type(module) not in DENSE:
        return f"a {type(module).__name__}, which does more than a plain convolution"
    if prod(module.kernel_size) == 1:
        return f"{size}: pointwise already"
    if module.groups > 1:
        return "depthwise already" if module.groups == module.in_channels else f"in {module.groups} groups already"
    if module._forward_pre_hooks or module._forward_hooks:
        return "with hooks of its own, which may work its weights out before each pass"
    return ""


def _separated(module: _ConvNd) -> tuple[_ConvNd, _ConvNd]:
    """A depthwise and a pointwise convolution, to stand in the place of `module`."""
    kind: Any = type(module)
    like = {"bias": module.bias is not None, "device": module.weight.device, "dtype": module.weight.dtype}
    depthwise = convolution_like(module, outputs=module.in_channels, groups=module.in_channels)
    return depthwise, kind(module.in_channels, module.out_channels, 1, **like)


def _place(layer: str, places: Mapping[str, str]) -> str:
    """Where a config names the layer, or the nearest one that it stands in."""
    while layer and layer not in places:
        layer = layer.rpartition(".")[0]
    return places.get(layer, "")
