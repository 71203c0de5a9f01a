"""Weights in the network's own types of numbers, as far as a file can mean that."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.network.weights.expected import COUNTER
from cnnlab.network.weights.mismatch import SHOWN


@dataclass(frozen=True)
class Cast:
    """Tensors of a file as the network wants them."""

    values: dict[str, Any]
    casts: tuple[str, ...]
    """Such as `float16 weights cast to float32 (60 tensors)`."""
    notes: tuple[str, ...]
    """About numbers that are not finite, or all alike."""


def cast(given: Mapping[str, Any], own: Mapping[str, Any]) -> Cast:
    """Give the tensors in `given` the types of those of the same names in `own`; what is no tensor stays.

    Raises: RequestError where a type of numbers cannot be meant, such as whole numbers for a convolution.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    counts: Counter[tuple[str, str]] = Counter()
    broken: dict[str, tuple[int, int]] = {}
    for name, tensor in given.items():
        wanted = own[name]
        if not isinstance(wanted, Tensor) or not isinstance(tensor, Tensor):
            values[name] = tensor
        elif fault := _fault(name, tensor, wanted):
            wrong.append(f"{name} {fault}")
        else:
            values[name] = value = _whole(name, tensor, wanted).to(wanted.dtype)
            if tensor.dtype != wanted.dtype:
                counts[_type(tensor), _type(wanted)] += 1
            if unfinite := _unfinite(value):
                broken[name] = unfinite, value.numel()
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise RequestError(f"holds other numbers than the network's: {'; '.join(wrong[:SHOWN])}{more}")
    casts = tuple(f"{one} weights cast to {other} ({_many(n)})" for (one, other), n in counts.items())
    notes = tuple(
        f"{len(broken)} of {len(values)} tensors hold NaN or infinity (first {name}: {count:,} of {size:,} numbers)"
        for name, (count, size) in list(broken.items())[:1]
    )
    return Cast(values, casts, notes + _all_alike(values))


def _all_alike(values: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence where no kernel or matrix holds two numbers that differ: nobody has learned anything in those."""
    kernels = {
        name: value
        for name, value in values.items()
        if isinstance(value, Tensor) and value.is_floating_point() and value.dim() > 1 and value.numel() > 1
    }
    if not kernels or any(bool((value != value.flatten()[0]).any()) for value in kernels.values()):
        return ()
    name, first = next(iter(kernels.items()))
    number = float(first.flatten()[0])
    return (f"no weight differs from another of its tensor (first {name}: all {number:g}), so that nothing is learned",)


def _fault(name: str, tensor: Tensor, own: Tensor) -> str:
    """What forbids to cast `tensor` to the type of `own`; '' where nothing does."""
    if tensor.is_quantized or tensor.layout is not torch.strided:
        return f"is {'quantised' if tensor.is_quantized else 'sparse'}, expected plain {_type(own)}"
    if tensor.is_meta:
        return "was saved without its values (on meta)"
    if own.is_complex() != tensor.is_complex() or (own.is_floating_point() and not tensor.is_floating_point()):
        return f"is {_type(tensor)}, expected {_type(own)}"
    if own.is_floating_point() or own.is_complex() or name.endswith(COUNTER) or _is_exact(tensor, own):
        return ""
    return f"is {_type(tensor)} with numbers that do not fit into {_type(own)}"


def _whole(name: str, tensor: Tensor, own: Tensor) -> Tensor:
    """Counts rounded: a mean over several files has some that are no whole numbers."""
    rounded = tensor.is_floating_point() and not own.is_floating_point() and name.endswith(COUNTER)
    return tensor.detach().to(torch.float64).round() if rounded else tensor.detach()


def _is_exact(tensor: Tensor, own: Tensor) -> bool:
    """Whether a cast to a type of whole numbers, and back, changes nothing."""
    return bool((tensor.to(own.dtype).to(tensor.dtype) == tensor).all())


def _unfinite(tensor: Tensor) -> int:
    """How many numbers are NaN or infinite."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return 0
    wide = tensor.to(torch.float32) if tensor.is_floating_point() and tensor.element_size() < 2 else tensor
    return int((~wide.isfinite()).sum())


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _many(count: int) -> str:
    return f"{count} tensor" + ("" if count == 1 else "s")
