"""A user's own network, made by its place and prepared to be looked at."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError, first_line
from cnnlab.models.own import OwnNetwork, made


@dataclass(frozen=True, eq=False)
class OwnModule:
    """What a user's code made, and whether it is made with the same weights each time."""

    model: nn.Module
    fresh: Callable[[int], nn.Module] | None
    """A twin with random weights from a seed; None where each has the same weights."""
    weights: str
    """What its weights are, in words."""
    trained: bool
    remark: str = ""
    """A sentence about it where it was in another precision than float32, in which it is now."""


def own_module(own: OwnNetwork, *, shape: Shape | None, classes: int | None) -> OwnModule:
    """The network that `own` names, on the CPU or wherever the code puts it.

    It is made twice: weights that are the same from two seeds were not drawn, but loaded by the code itself.

    Arguments:
        own: its place and arguments.
        shape, classes: handed to parameters of those names.

    Raises: RequestError and OwnCodeError as `cnnlab.models.own.made`.
    """
    handed: dict[str, Any] = {"shape": shape, "classes": classes}
    handed = {name: value for name, value in handed.items() if value is not None}

    def fresh(seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return made(own, **handed)

    first, second = fresh(0), fresh(1)
    check_plain(first, str(own))
    if first is second:
        whole, remark = as_float(unwrapped(first), str(own))
        return OwnModule(whole, None, "its own weights", True, remark)
    model, remark = unwrapped(first), _precision(first)
    if remark:
        model = model.float()  # made for this alone, so that it need not be copied
    if same_values(first, second.float() if remark else second):
        return OwnModule(model, None, f"the weights that {own.name} gives it", True, remark)
    again = (lambda seed: unwrapped(fresh(seed)).float()) if remark else lambda seed: unwrapped(fresh(seed))
    return OwnModule(model, again, "random weights (seed 0)", False, remark)


def unwrapped(model: nn.Module) -> nn.Module:
    """The network inside of `DataParallel`, `DistributedDataParallel` and `torch.compile`."""
    while True:
        inner = getattr(model, "_orig_mod", None)  # what torch.jit compiled has no dictionary of modules
        if inner is None and isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def first_channels(model: nn.Module) -> int:
    """The channels of the first convolution's inputs; 3 where there is none that tells."""
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)) and module.in_channels:
            return module.in_channels
    return 3


def check_plain(model: nn.Module, name: str) -> None:
    """Refuse a network that has no values, or whose layers compute with something other than floating-point numbers.

    Raises: RequestError with the way out.
    """
    if model.eval.__module__ == "torch.export.exported_program":
        raise RequestError(
            f"{name} is a program of torch.export, whose mode is fixed; give the network as it was before"
        )
    for parameter, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_meta:
            raise RequestError(
                f"{name}: '{parameter}' is on the meta device, so that it has no values; give it weights"
            )
        if tensor.is_quantized:
            raise RequestError(f"{name}: '{parameter}' is quantised; give the network as it was before quantisation")
    for layer, module in model.named_modules():
        if type(module).__module__.startswith(("torch.ao.nn.quantized", "torch.nn.quantized")):
            raise RequestError(
                f"{name}: the layer '{layer}' ({type(module).__name__}) is quantised; give the network as it was before"
            )


def as_float(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The network in float32, and a sentence about it where it was in another precision; it stays as it is then.

    Raises: RequestError where torch cannot copy it.
    """
    remark = _precision(model)
    return (copied(model, name).float(), remark) if remark else (model, "")


def copied(model: nn.Module, name: str) -> nn.Module:
    """A copy of a network that must stay as it is.

    Raises: RequestError where torch cannot make one, as of old weight norm.
    """
    try:
        return deepcopy(model)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise RequestError(
            f"{name} cannot be copied ({first_line(error)}); name a class or a function that makes it anew"
        ) from error


def _precision(model: nn.Module) -> str:
    """A sentence about a network that is not in float32; nothing about any other."""
    kinds = {p.dtype for p in model.parameters() if p.is_floating_point()} - {torch.float32}
    names = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
    return f"the network is in {names}; a copy in float32 is looked at" if kinds else ""


def same_values(first: nn.Module, second: nn.Module) -> bool:
    """Whether all parameters are equal, of two networks that have some which are not all alike (as zeros are)."""
    one, other = dict(first.named_parameters()), dict(second.named_parameters())
    if one.keys() != other.keys() or not one:
        return False
    drawn = [name for name, value in one.items() if value.numel() > 1 and not bool((value == value.flatten()[0]).all())]
    return bool(drawn) and all(torch.equal(one[name], other[name]) for name in one)
