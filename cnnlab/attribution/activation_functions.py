"""Activation functions as calls: which function a network calls, whether by a module, `F.relu` or a tensor's method."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Call = Callable[..., Any]

RELU: frozenset[Call] = frozenset({F.relu, torch.relu, Tensor.relu, torch.relu_, Tensor.relu_})
IN_PLACE_RELU: frozenset[Call] = frozenset({torch.relu_, Tensor.relu_})
CLIPPED: frozenset[Call] = frozenset({F.relu6, F.hardtanh, F.hardtanh_})
"""Linear between two bounds; a rectifier where the lower one is 0."""

SMOOTH: frozenset[Call] = frozenset(
    {
        F.leaky_relu, F.leaky_relu_, F.prelu, torch.prelu, F.rrelu, F.rrelu_, torch.rrelu, F.elu, F.elu_, F.selu,
        torch.selu, F.celu, torch.celu, F.gelu, F.silu, F.mish, F.hardswish, F.hardsigmoid, F.sigmoid, torch.sigmoid,
        torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_, F.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_,
        F.softplus, F.softsign, F.logsigmoid, F.threshold, F.tanhshrink, F.softshrink, F.hardshrink,
    }
)  # fmt: skip
"""Nonlinear element by element, and no rectifier."""

ACTIVATIONS: frozenset[Call] = RELU | CLIPPED | SMOOTH


def name_of(call: Call) -> str:
    """`silu` for F.silu, torch.sigmoid and the like."""
    return str(getattr(call, "__name__", call)).rstrip("_")
