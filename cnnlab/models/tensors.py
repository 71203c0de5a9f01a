"""The tensors that a network holds, by name, and others to run it on in their place."""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn


def tensors_of(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer, under one name for each module that holds it: what `functional_call` has to exchange.

    One that several modules share comes once for each of them. A module that is registered under several names comes
    once: exchanged a second time, its first substitute would be put back as the original.
    """
    for path, module in model.named_modules():
        yield from module.named_parameters(path, recurse=False, remove_duplicate=False)
        yield from module.named_buffers(path, recurse=False, remove_duplicate=False)


def twins_of(model: nn.Module, make: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """What `make` makes of each tensor, under the names of `tensors_of`; a shared one is made once.

    For `torch.func.functional_call` with `tie_weights=False`, since all names are there.
    """
    made: dict[int, Tensor] = {}
    found = {}
    for name, tensor in tensors_of(model):
        if id(tensor) not in made:
            made[id(tensor)] = make(tensor)
        found[name] = made[id(tensor)]
    return found


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
    """On meta: the shape, type and strides alone."""
    return torch.empty_like(tensor.detach(), device="meta")
