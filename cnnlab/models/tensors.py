"""The tensors that a network holds, by name, and others to run it on in their place."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


def tensors_of(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer, under one name for each module that holds it: what `run_on` has to exchange.

    One that several modules share comes once for each of them. A module that is registered under several names comes
    once: exchanged a second time, its first substitute would be put back as the original.
    """
    for path, module in model.named_modules():
        yield from module.named_parameters(path, recurse=False, remove_duplicate=False)
        yield from module.named_buffers(path, recurse=False, remove_duplicate=False)


def twins_of(model: nn.Module, make: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """What `make` makes of each tensor, under the names of `tensors_of`; a shared one is made once.

    For `run_on`.
    """
    made: dict[int, Tensor] = {}
    found = {}
    for name, tensor in tensors_of(model):
        if id(tensor) not in made:
            made[id(tensor)] = make(tensor)
        found[name] = made[id(tensor)]
    return found


def run_on(model: nn.Module, twins: Mapping[str, Tensor], images: Tensor) -> Any:
    """What `model` puts out for `images` with `twins` (see `twins_of`) in the place of all its tensors.

    Of a DataParallel, too, which torch refuses where it is not inside another module.
    """
    if isinstance(model, nn.DataParallel):
        model, twins = nn.Sequential(model), {f"0.{name}": twin for name, twin in twins.items()}
    # not tied once more: every name is there
    return functional_call(model, dict(twins), (images,), tie_weights=False)


def copied(model: nn.Module, twins: dict[int, Tensor] | None = None) -> nn.Module:
    """A deep copy; `twins` are tensors to stand in for those of these ids.

    Tensors that a module worked out and kept, as the older spectral and weight norms do, are copied without the graph
    that they come from, which torch refuses to copy.
    """
    memo: dict[int, object] = dict(twins or {})
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                memo.setdefault(id(value), value.detach().clone())
    return copy.deepcopy(model, memo)


def without_values(tensor: Tensor) -> Tensor:
    """Return the tensor on meta: its shape, type and strides alone."""
    return torch.empty_like(tensor.detach(), device="meta")
