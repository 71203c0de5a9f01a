"""Values of a saved state held against those that the program would have there: names, types, shapes and ranges."""

from collections.abc import Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor

from cnnlab.core.errors import RequestError

LARGEST = 2.0**63
"""Whole numbers beyond it do not fit into a tensor, and no number of a training comes near."""

SHOWN = 40
"""Letters of a wrong value that a message quotes."""


def check_weights(weights: Any, own: Mapping[str, Tensor], path: str = "") -> None:
    """Refuse `weights` that are not tensors of the names, shapes and types of `own`.

    Raises: RequestError when names or shapes differ, with the first of each kind.
    """
    tensors = mapping(weights, path or "weights")
    missing = sorted(set(own) - set(tensors))
    foreign = sorted(map(str, set(tensors) - set(own)))
    for name in own:
        if name in tensors and not isinstance(tensors[name], Tensor):
            damaged(f"{path}.{name}" if path else name, tensors[name], _in_words(own[name]))
    other = [name for name in own if name in tensors and own[name].shape != tensors[name].shape]
    details = []
    if missing:
        details.append(f"{len(missing)} weights are missing (first {missing[0]})")
    if foreign:
        details.append(f"{len(foreign)} are unknown to this model (first {foreign[0]})")
    if other:
        name = other[0]
        shapes = f"{list(tensors[name].shape)} for {list(own[name].shape)}"
        details.append(f"{len(other)} have another shape (first {name}: {shapes})")
    if details:
        raise RequestError(f"a checkpoint of another model: {'; '.join(details)}")
    for name in own:
        check_like(tensors[name], own[name], f"{path}.{name}" if path else name)


def check_like(value: Any, own: Any, path: str) -> None:
    """`value` has the names, types and shapes of `own` all the way down; numbers are finite and not negative."""
    if isinstance(own, Mapping):
        entries = mapping(value, path)
        for name in own:
            if name not in entries:
                raise RequestError(f"a damaged checkpoint: it lacks '{path}.{name}'")
            check_like(entries[name], own[name], f"{path}.{name}")
        if foreign := [name for name in entries if name not in own]:
            raise RequestError(f"a damaged checkpoint: it has an unknown '{path}.{foreign[0]}'")
    elif isinstance(own, Tensor):
        plain = isinstance(value, Tensor) and value.layout is torch.strided and not value.is_meta
        if not plain or value.dtype != own.dtype or value.shape != own.shape:
            damaged(path, value, _in_words(own))
    elif isinstance(own, bool) or own is None or isinstance(own, str):
        if type(value) is not type(own):
            damaged(path, value, {bool: "true or false", str: "a text"}.get(type(own), "nothing"))
    elif type(value) is not type(own) or not 0 <= value < LARGEST:
        damaged(path, value, f"a {'whole number' if isinstance(own, int) else 'number'} of at least 0")


def check_finite(value: Any, own: Any, path: str) -> None:
    """No NaN and no infinity where `own` has none: the next step would spread it, and blame the learning rate."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            check_finite(part, own.get(name, {}), f"{path}.{name}")
    elif isinstance(value, Tensor) and not _is_finite(value) and not (isinstance(own, Tensor) and not _is_finite(own)):
        raise RequestError(f"a damaged checkpoint: '{path}' holds numbers that are not finite, so no step can follow")


def _is_finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())


def same(value: Any, own: Any) -> bool:
    """Whether two options are of one type and equal, lists item by item."""
    if isinstance(own, list | tuple):
        return type(value) is type(own) and len(value) == len(own) and all(map(same, value, own))
    return type(value) is type(own) and not isinstance(value, Tensor) and bool(value == own)


def is_there(value: Any) -> bool:
    """Whether a part of a state was kept: neither None nor an empty mapping."""
    return value is not None and not (isinstance(value, Mapping) and not value)


def mapping(value: Any, path: str) -> Mapping[Any, Any]:
    """`value`, where it is a mapping.

    Raises: RequestError otherwise.
    """
    if not isinstance(value, Mapping):
        damaged(path, value, "a mapping")
    return value


def _in_words(tensor: Tensor) -> str:
    return f"a tensor of {list(tensor.shape)} ({str(tensor.dtype).removeprefix('torch.')})"


def shown(value: Any) -> str:
    """A wrong value in a message."""
    if isinstance(value, Tensor):
        return f"'{value.item()}'" if value.numel() == 1 and value.layout is torch.strided else _in_words(value)
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple) and len(str(value)) > SHOWN:
        return f"a list of {len(value)}"
    text = str(value)
    return f"'{text}'" if len(text) <= SHOWN else f"'{text[: SHOWN - 1]}…'"


def damaged(path: str, value: Any, expected: str) -> NoReturn:
    """Raises: RequestError with the place, the value there and what was expected."""
    raise RequestError(f"a damaged checkpoint: '{path}' is {shown(value)}, expected {expected}")
