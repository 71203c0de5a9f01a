"""A way around a kernel that destroys memory: the weight gradient of pointwise convolutions with a stride.

On processors with AVX2 and no AVX-512, oneDNN 3.12 (torch 2.14) works out the weight gradient of a 1 × 1 convolution
with a stride, of fewer than eight channels in float32, channels last, without padding and groups, beyond the end of
its memory: a double free, a segmentation fault, a hang, or a wrong gradient. Tried in processes of their own: the
forward pass, the gradient at the input, other kernels, groups, paddings and types hold, as does the layout in rows. A
compiled network lies channels last by itself, so that it is met there without `training.channels_last`.
"""

import os
import platform
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

SAFE_CHANNELS = 8
"""From here on the kernel keeps within its memory: the width of an AVX2 register in float32."""


def pointwise_route(device: torch.device) -> AbstractContextManager[object]:
    """`PointwiseRoute` where training on `device` may meet that kernel, and nothing elsewhere.

    A mode costs each of torch's functions some microseconds, of a small network of many layers a tenth of the time.
    """
    return PointwiseRoute() if device.type == "cpu" and has_the_kernel() else nullcontext()


def has_the_kernel() -> bool:
    """Whether oneDNN may choose its AVX2 kernels in this process; in doubt it may."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    most = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "DEFAULT"
    unlimited = most.upper().startswith(("DEFAULT", "ALL", "AVX512", "AVX10"))
    return not (unlimited and torch.backends.cpu.get_cpu_capability() == "AVX512")


class PointwiseRoute(TorchFunctionMode):
    """While it is entered, those convolutions run with stride 1 on every stride-th place, which gives the same.

    It belongs around every forward pass whose weights get a gradient. Convolutions of layers and of functions are
    routed alike.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run `func`, a convolution on the safe way."""
        if func is F.conv2d or func is torch.conv2d:
            return _routed(func, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _routed(
    convolve: Any,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | str | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Any:
    steps = (stride, stride) if isinstance(stride, int) else (stride[0], stride[-1])
    flat = padding == "valid" or padding == 0 or (not isinstance(padding, (int, str)) and not any(padding))
    met = weight.shape[1] < SAFE_CHANNELS and tuple(weight.shape[2:]) == (1, 1) and steps != (1, 1)
    if met and flat and groups == 1 and input.device.type == "cpu":
        return convolve(input[..., :: steps[0], :: steps[1]], weight, bias)
    return convolve(input, weight, bias, stride, padding, dilation, groups)
