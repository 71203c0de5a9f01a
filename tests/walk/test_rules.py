"""What NaN passes through is measured on every operation that torch marks as working element by element."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from cnnlab.walk.mixing import ALONG, REDUCTIONS
from cnnlab.walk.rules import SWALLOWING, kind_of, pointwise

EXCEPT = ("copy", "pow", "float_power", "special_", "_prelu_kernel")
"""`copy` does not read what it writes over; 1 to any power is 1; polynomials of degree NaN; a slope not used."""


def overloads() -> Iterator[Any]:
    """Of torch's own operations that take one or two tensors, or a tensor and a number, and write nowhere."""
    for name in dir(torch.ops.aten):
        packet = getattr(torch.ops.aten, name)
        for overload in packet.overloads() if hasattr(packet, "overloads") else ():
            func = getattr(packet, overload)
            needed = [str(a.type) for a in func._schema.arguments if not a.has_default_value()]
            writes = any(a.alias_info is not None for a in func._schema.arguments)
            if not writes and needed in (["Tensor"], ["Tensor", "Tensor"], ["Tensor", "number"]):
                yield func, needed


def results(func: Any, arguments: tuple[Any, ...]) -> list[Tensor]:
    try:
        result = func(*arguments)
    except (RuntimeError, TypeError, NotImplementedError, ValueError, IndexError):
        return []
    return [r for r in (result if isinstance(result, tuple | list) else [result]) if isinstance(r, Tensor)]


def test_nan_passes_through_pointwise_operations_or_they_are_listed() -> None:
    nan, one = torch.full((3,), float("nan")), torch.ones(3)
    tried = 0
    for func, needed in overloads():
        kind = kind_of(func)
        if kind.rule is not pointwise or kind.name.startswith(EXCEPT):
            continue
        pairs = {"Tensor": [(nan, one), (one, nan)], "number": [(nan, 1.5)]}
        for arguments in pairs[needed[1]] if len(needed) > 1 else [(nan,)]:
            found = results(func, arguments)
            if found and found[0].is_floating_point():
                tried += 1
                assert found[0].isnan().all() or kind.name in SWALLOWING, (func, arguments)
    assert tried > 100


@pytest.mark.parametrize("name", sorted({*REDUCTIONS, *ALONG} - set(SWALLOWING)))
def test_nan_passes_through_reductions_or_they_are_listed(name: str) -> None:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    x[1, 2] = float("nan")
    packet = getattr(torch.ops.aten, name)
    for overload in packet.overloads():
        func = getattr(packet, overload)
        if any(a.alias_info is not None for a in func._schema.arguments):
            continue
        for arguments in ((x,),) if "norm" in name else ((x,), (x, 0), (x, [0]), (x, 0, False)):
            for found in results(func, arguments)[:1]:
                if found.is_floating_point():
                    along = found.shape == x.shape
                    assert (found[:, 2] if along else found.reshape(-1)[-1]).isnan().all(), (func, arguments)
