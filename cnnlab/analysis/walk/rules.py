"""Which rule holds for which operation."""

from typing import Any

import torch

from cnnlab.analysis.walk.call import Call, Transfer
from cnnlab.analysis.walk.mixing import GATES, MIXING
from cnnlab.analysis.walk.moving import MOVES, PLACES
from cnnlab.analysis.walk.reach import Tag, joined
from cnnlab.analysis.walk.windows import WINDOWS

KEPT = frozenset(
    ("alias", "detach", "clone", "contiguous", "_to_copy", "lift_fresh", "lift", "lift_fresh_copy", "view_as_real",
     "native_dropout", "to", "set_data", "resolve_conj", "resolve_neg", "_conj", "copy_to")
)  # fmt: skip
"""The result is the first tensor, in other memory or another type."""

FREE = frozenset(
    ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "zeros", "zeros_like",
     "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like", "new_full", "arange", "linspace", "eye",
     "scalar_tensor", "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "zero", "fill", "uniform",
     "normal", "bernoulli", "tril_indices", "triu_indices", "resize", "logspace", "hann_window", "random")
)  # fmt: skip
"""The result depends on nothing but shapes and numbers."""

POINTWISE = frozenset(
    ("copy", "masked_fill", "prelu", "_prelu_kernel", "rrelu_with_noise", "dropout", "feature_dropout", "threshold",
     "where", "lerp", "addcmul", "addcdiv", "clamp", "nan_to_num", "frac", "polar", "complex", "real", "imag",
     "softplus", "hardshrink", "softshrink", "log_sigmoid_forward", "log_sigmoid", "celu", "elu", "selu", "mish",
     "hardtanh", "relu6", "leaky_relu", "isnan", "bucketize", "hardswish", "hardsigmoid", "silu", "gelu", "softsign",
     "tanhshrink", "logsigmoid", "relu", "quantize_per_tensor", "dequantize", "fake_quantize_per_tensor_affine")
)  # fmt: skip
"""Each element by itself, beside those that torch itself marks so."""

SWALLOWING = frozenset(
    ("where", "masked_fill", "isnan", "isinf", "isfinite", "nan_to_num", "argmax", "argmin", "argsort", "topk", "sort",
     "eq", "ne", "gt", "ge", "lt", "le", "bucketize", "nansum", "fmax", "fmin", "sign", "logical_and", "logical_or",
     "logical_not", "bitwise_and", "bitwise_or", "sgn", "heaviside", "median", "nanmedian", "kthvalue", "mode",
     "count_nonzero", "any", "all", "masked_scatter", "_unique2", "searchsorted")
)  # fmt: skip
"""Through these a NaN may not pass, so that a probe with NaN cannot see what they depend on."""


def rule_of(func: Any, name: str) -> Transfer | None:
    """What a result depends on, or None where that is not known; for moves a rule that stands for them."""
    if name in MIXING:
        return MIXING[name]
    if name in WINDOWS:
        return WINDOWS[name]
    if name in PLACES:
        return PLACES[name]
    if name in GATES:
        return GATES[name]
    if name in MOVES:
        return _melted
    if name in POINTWISE or _is_pointwise(func):
        return _pointwise
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


def _pointwise(call: Call) -> Tag | None:
    """Element by element; what is written into (`copy_`) does not count."""
    if call.name == "copy":
        return call.tag("src")
    return joined(call.tags)


def _melted(call: Call) -> Tag | None:
    """A move that could not be replayed: each result may be any element."""
    return joined(tag.melted(call.output.dim()) for tag in call.tags)
