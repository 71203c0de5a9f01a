"""The results of operations on meta tensors, worked out once for each kind of arguments.

torch works many of these out in Python: its formulas on meta take up to two milliseconds each (normalisations, the
hard-swish and hard-sigmoid of gates, means, products of matrices), where all else of a walk takes a tenth of that for
an operation. A result without values is a shape, strides and a type, and what these are follows from the operation,
from the shapes, strides and types of its arguments, and from its other arguments: what torch said once holds for every
call with the same ones, and networks repeat their blocks. Of an operation that works element by element on contiguous
tensors of one shape not even that shape matters: the result has it.

Of convolutions and of concatenations, which come with many shapes in one network, formulas here tell them.

Asked each time is what is not told so: views, results in the memory of an argument, random numbers, errors.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from cnnlab.core.arithmetic import Sliding
from cnnlab.walk.rules import Kind

_Again = Callable[[Tensor], Any]
"""Makes the result once more, given the first tensor among the arguments."""


@final
class Shapes:
    """Executes operations on meta tensors, and remembers what came out."""

    def __init__(self) -> None:
        self._known: dict[Any, _Again | None] = {}

    def run(self, func: Any, kind: Kind, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Return what `func`, of that kind, returns for arguments on meta.

        Raises: what torch raises.
        """
        if not kind.repeatable:
            return func(*args, **kwargs)
        formula = _FORMULAS.get(kind.name)
        told = None if formula is None or kwargs else formula(*args)
        if told is not None:
            return told
        tensors: list[Tensor] = []
        try:
            signs = [_sign(one, tensors) for one in args]
            named = [(name, _sign(one, tensors)) for name, one in kwargs.items()]
        except _UnusualError:
            return func(*args, **kwargs)
        if not tensors:
            return func(*args, **kwargs)
        alike = kind.elementwise and _are_alike(tensors)
        shapes: Any = tensors[0].dim() if alike else tuple((one.shape, one.stride()) for one in tensors)
        key = (func, torch.get_default_dtype(), shapes, *signs, *named)
        if key in self._known:
            again = self._known[key]
            return func(*args, **kwargs) if again is None else again(tensors[0])
        before = tensors[0].untyped_storage()._cdata, tensors[0].shape, tensors[0].stride()
        result = func(*args, **kwargs)
        after = tensors[0].untyped_storage()._cdata, tensors[0].shape, tensors[0].stride()
        if kind.written:
            self._known[key] = _itself if result is tensors[0] and before == after else None
        else:
            self._known[key] = _again(result, tensors, alike=alike)
        return result


class _UnusualError(Exception):
    """An argument whose kind cannot be told."""


def _sign(value: Any, tensors: list[Tensor]) -> Any:
    """What counts of an argument beside the shapes of its tensors, which are added to `tensors`."""
    if isinstance(value, Tensor):
        if type(value) not in (Tensor, nn.Parameter) or value.layout is not torch.strided or value.is_complex():
            raise _UnusualError
        tensors.append(value)
        return value.dtype
    if isinstance(value, list | tuple):
        return tuple(_sign(one, tensors) for one in value)
    if value is not None and not isinstance(value, _PLAIN):
        raise _UnusualError
    return type(value), value


_PLAIN = (bool, int, float, str, torch.dtype, torch.device, torch.layout, torch.memory_format)


def _are_alike(tensors: list[Tensor]) -> bool:
    shape = tensors[0].shape
    return all(one.shape == shape and one.is_contiguous() for one in tensors)


def _itself(tensor: Tensor) -> Tensor:
    return tensor


def _again(result: Any, tensors: list[Tensor], *, alike: bool) -> _Again | None:
    """How to make the result again; None where it is more than new tensors."""
    several = isinstance(result, tuple)
    made = result if several else (result,)
    used = {one.untyped_storage()._cdata for one in tensors}
    facts: list[tuple[Any, Any, torch.dtype]] = []
    for one in made:
        if not isinstance(one, Tensor) or type(one) is not Tensor or one.layout is not torch.strided or not one.is_meta:
            return None
        storage = one.untyped_storage()
        facts.append((tuple(one.shape), one.stride(), one.dtype))
        if storage._cdata in used or storage.nbytes() != _new(*facts[-1]).untyped_storage().nbytes():
            return None
        used.add(storage._cdata)
    if not alike:
        return (lambda _: tuple(_new(*one) for one in facts)) if several else (lambda _: _new(*facts[0]))
    if several or made[0].shape != tensors[0].shape or not made[0].is_contiguous():
        return None
    dtype = made[0].dtype
    return lambda tensor: torch.empty(tensor.shape, dtype=dtype, device="meta")


def _new(shape: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty_strided(shape, strides, dtype=dtype, device="meta")


def _convolution(images: Tensor, weight: Tensor, bias: Tensor | None, *options: Any) -> Tensor | None:
    """Of a batch of images that lie in rows, by a window that fits: what does not is torch's to say."""
    stride, padding, dilation, transposed, _, groups = options
    rank = weight.dim() - 2
    if transposed or rank < 1 or images.dim() != weight.dim() or {len(stride), len(padding), len(dilation)} != {rank}:
        return None
    given = [images, weight] if bias is None else [images, weight, bias]
    if not _are_in_rows(given) or images.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
        return None
    if (bias is not None and bias.shape != weight.shape[:1]) or min(*stride, *dilation, *images.shape) < 1:
        return None
    windows = zip(images.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    sizes = [Sliding(*window).outputs for window in windows]
    if min(*sizes, *weight.shape) < 1 or min(padding) < 0:
        return None
    return torch.empty((images.shape[0], weight.shape[0], *sizes), dtype=images.dtype, device="meta")


def _cat(tensors: Any, dim: int = 0) -> Tensor | None:
    """Of tensors that lie in rows and differ in size along `dim` alone."""
    if not isinstance(tensors, list | tuple) or not tensors or not _are_in_rows(tensors):
        return None
    first = tensors[0].shape
    if not -len(first) <= dim < len(first):
        return None
    dim %= len(first)
    around = first[:dim], first[dim + 1 :]
    if any(len(one.shape) != len(first) or (one.shape[:dim], one.shape[dim + 1 :]) != around for one in tensors):
        return None
    shape = (*around[0], sum(one.shape[dim] for one in tensors), *around[1])
    return torch.empty(shape, dtype=tensors[0].dtype, device="meta")


def _are_in_rows(tensors: Sequence[Any]) -> bool:
    """Whether all are tensors of one type whose elements lie in the order of their dimensions."""
    return all(
        type(one) in (Tensor, nn.Parameter)
        and one.layout is torch.strided
        and one.dtype == tensors[0].dtype
        and one.is_contiguous()
        for one in tensors
    )


_FORMULAS: dict[str, Callable[..., Tensor | None]] = {"convolution": _convolution, "cat": _cat}
"""What torch would say at once; None where a formula does not hold."""
