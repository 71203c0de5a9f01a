"""Which rule holds for which operation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from cnnlab.walk.call import Call, Transfer
from cnnlab.walk.indexing import INDEXING
from cnnlab.walk.mixing import GATES, MIXING
from cnnlab.walk.moving import MOVES, PLACES
from cnnlab.walk.tag import Tag, joined
from cnnlab.walk.windows import WINDOWS

KEPT = frozenset(
    ("clone", "contiguous", "_to_copy", "lift", "lift_fresh_copy", "native_dropout", "to", "copy_to")
)  # fmt: skip
"""The result is the first tensor, in other memory or another type."""

FREE = frozenset(
    ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "zeros", "zeros_like",
     "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like", "new_full", "arange", "linspace", "eye",
     "scalar_tensor", "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "zero", "uniform",
     "tril_indices", "triu_indices", "logspace", "hann_window", "random", "exponential", "cauchy", "geometric",
     "log_normal")
)  # fmt: skip
"""The result depends on nothing but shapes and numbers."""

POINTWISE = frozenset(
    ("copy", "prelu", "_prelu_kernel", "rrelu_with_noise", "dropout", "feature_dropout", "threshold",
     "lerp", "addcmul", "addcdiv", "clamp", "nan_to_num", "frac", "polar", "complex", "real", "imag",
     "softplus", "hardshrink", "softshrink", "log_sigmoid_forward", "log_sigmoid", "celu", "elu", "selu", "mish",
     "hardtanh", "relu6", "leaky_relu", "isnan", "bucketize", "hardswish", "hardsigmoid", "silu", "gelu", "softsign",
     "tanhshrink", "logsigmoid", "relu", "quantize_per_tensor", "dequantize", "fake_quantize_per_tensor_affine")
)  # fmt: skip
"""Each element by itself, beside those that torch itself marks so."""

SWALLOWING = frozenset(
    ("where", "masked_fill", "isnan", "isinf", "isfinite", "nan_to_num", "argmax", "argmin", "argsort", "topk", "sort",
     "eq", "ne", "gt", "ge", "lt", "le", "bucketize", "nansum", "fmax", "fmin", "sign", "logical_and", "logical_or",
     "logical_not", "bitwise_and", "bitwise_or", "sgn", "heaviside", "median", "nanmedian", "kthvalue", "mode",
     "count_nonzero", "any", "all", "masked_scatter", "_unique2", "searchsorted", "copysign", "signbit",
     "view_as_real")
)  # fmt: skip
"""Through these a NaN may not pass, so that a probe with NaN cannot see what they depend on."""


def is_of_planes(name: str) -> bool:
    """Whether an operation of that name works on rows and columns, which torch has last: (n, channels, rows, columns).

    Of a convolution that says the number of dimensions, of a normalisation likewise.
    """
    return "2d" in name or "convolution" in name or "batch_norm" in name or "group_norm" in name


@dataclass(frozen=True)
class Kind:
    """What is known of an operation whatever its arguments are."""

    name: str
    """Without namespace, overload and the underscore of in-place twins."""
    parameters: tuple[tuple[str, Any], ...]
    """The names of its arguments, with their defaults."""
    rule: Transfer | None
    """What a result depends on; None where that is not known."""
    written: tuple[str, ...]
    """The arguments that it writes into."""
    receiving: frozenset[str]
    """The arguments among them that only take a result (`out=`)."""
    turns: Callable[..., Any] | None
    """What gives as a view what this one turns its argument into, such as `transpose` for `transpose_`."""
    pointwise: bool
    elementwise: bool
    """Whether each element of the result comes from the elements of all tensors at its place, by torch's own mark."""
    repeatable: bool
    """Whether the same arguments always give a result of the same shape in memory of its own, or the first of them."""


@cache
def kind_of(func: Any) -> Kind:
    """The kind of an overload, such as `torch.ops.aten.add.Tensor`."""
    full: str = func._schema.name
    name = full.split("::")[-1]
    name = name[:-1] if name.endswith("_") and not name.startswith("__") else name
    changed = [one for one in func._schema.arguments if one.alias_info is not None and one.alias_info.is_write]
    twin = None
    if torch.Tag.inplace_view in func.tags and name in MOVES:
        packet = getattr(torch.ops.aten, name)
        twin = getattr(packet, func._overloadname, None) or getattr(packet, "int", None)
    names, written = (tuple(one.name for one in some) for some in (func._schema.arguments, changed))
    return Kind(
        name,
        tuple((one.name, one.default_value) for one in func._schema.arguments),
        _rule_of(func, name),
        written,
        frozenset(one.name for one in changed if one.kwarg_only),
        twin,
        torch.Tag.pointwise in func.tags,
        _is_pointwise(func),
        not func.is_view and _ONCE.isdisjoint(func.tags) and written in ((), names[:1]),
    )


_ONCE = frozenset(
    (torch.Tag.nondeterministic_seeded, torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output,
     torch.Tag.inplace_view)
)  # fmt: skip
"""Marks of operations whose results the shapes of their arguments do not tell."""


def _rule_of(func: Any, name: str) -> Transfer | None:
    """What a result depends on, or None where that is not known; for moves a rule that stands for them."""
    for table in (MIXING, WINDOWS, PLACES, INDEXING, GATES, FILLS):
        if name in table:
            return table[name]
    if name in KEPT:
        return _kept
    if name in FREE:
        return _free
    if name in MOVES:
        return melted
    if name in POINTWISE or _is_pointwise(func):
        return pointwise
    return None


def _is_pointwise(func: Any) -> bool:
    if torch.Tag.pointwise in func.tags:
        return True
    twin = func._schema.name.split("::")[-1]
    if not twin.endswith("_"):
        return False
    packet = getattr(torch.ops.aten, twin[:-1], None)
    return packet is not None and any(
        torch.Tag.pointwise in getattr(packet, overload).tags for overload in packet.overloads()
    )


def pointwise(call: Call) -> Tag | None:
    """Element by element; what is written into (`copy_`) does not count."""
    if call.name == "copy":
        return call.tag("src")
    return joined(call.tags)


def melted(call: Call) -> Tag | None:
    """The rule of a move that cannot be replayed, and of what has no better one: a result may depend on any element."""
    return joined(tag.melted(call.output.dim()) for tag in call.tags)


def _kept(call: Call) -> Tag | None:
    return call.tag_of(call.tensors[0])


def _free(call: Call) -> None:
    return None


def _filled(call: Call) -> Tag | None:
    """One number everywhere, or numbers drawn around given ones; what was there before does not count."""
    names = [name for name in ("value", "p", "mean", "std") if name in call.arguments]
    return joined(call.tag(name) for name in names or ["self"])


def _resized(call: Call) -> Tag | None:
    own = call.tag("self")
    return own and own.melted(call.output.dim())


FILLS: dict[str, Transfer] = {
    **dict.fromkeys(("fill", "normal", "bernoulli"), _filled),
    **dict.fromkeys(("resize", "resize_as"), _resized),
}
