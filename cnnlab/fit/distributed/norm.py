"""Batch normalisation over the images of all processes: forward and backward pass, on any device.

torch's SyncBatchNorm takes tensors on a GPU only.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cnnlab.fit.distributed.ranks import Ranks


def synchronized(ranks: Ranks, wished: bool) -> AbstractContextManager[object]:
    """`SynchronizedNorm` where there are several processes and it is wished for, and nothing elsewhere."""
    return SynchronizedNorm(ranks) if wished and not ranks.alone else nullcontext()


class SynchronizedNorm(TorchFunctionMode):
    """While it is entered, batch normalisation in training takes mean and variance over all processes.

    It belongs around the forward pass, which every process makes, be it of no image: each normalisation waits for all.
    No layer is replaced, so names, hooks and weights are what they are; layers and functions are met alike.
    """

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self.ranks = ranks

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run `func`, a batch normalisation in training over all processes."""
        if func is F.batch_norm:
            return _normalised(self.ranks, func, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _normalised(
    ranks: Ranks,
    normalise: Any,
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training:
        return normalise(input, running_mean, running_var, weight, bias, training, momentum, eps)  # type: ignore[no-any-return]
    values = input.float() if input.dtype in (torch.float16, torch.bfloat16) else input
    standard, mean, variance, count = _Standardised.apply(values, eps, ranks)
    with torch.no_grad():
        if running_mean is not None:
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
        if running_var is not None:
            unbiased = variance * (count / (count - 1).clamp(min=1))
            running_var.lerp_(unbiased.to(running_var.dtype), momentum)
    shape = (1, -1, *[1] * (input.dim() - 2))
    if weight is not None:
        standard = standard * weight.view(shape)
    if bias is not None:
        standard = standard + bias.view(shape)
    return standard.to(input.dtype)  # type: ignore[no-any-return]


class _Standardised(torch.autograd.Function):
    """(x − mean) / √(variance + eps) per channel (Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1 and sec. 3)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, eps: float, ranks: Ranks) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = [axis for axis in range(values.dim()) if axis != 1]
        shape = (1, -1, *[1] * (values.dim() - 2))
        count = values.numel() // max(1, values.shape[1])
        sums = torch.cat([values.sum(axes, dtype=torch.float64), values.new_tensor([count], dtype=torch.float64)])
        ranks.add([sums])
        total = sums[-1]
        mean = sums[:-1] / total
        centred = values - mean.to(values.dtype).view(shape)
        squares = centred.square().sum(axes, dtype=torch.float64)  # about the mean: no digits are lost
        ranks.add([squares])
        variance = squares / total
        scale = (variance + eps).rsqrt().to(values.dtype).view(shape)
        standard = centred * scale
        ctx.save_for_backward(standard, scale, total)
        ctx.ranks = ranks
        ctx.mark_non_differentiable(mean, variance, total)
        return standard, mean, variance, total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        standard, scale, total = ctx.saved_tensors
        gradient = gradients[0]
        axes = [axis for axis in range(gradient.dim()) if axis != 1]
        sums = torch.stack(
            [gradient.sum(axes, dtype=torch.float64), (gradient * standard).sum(axes, dtype=torch.float64)]
        )
        ctx.ranks.add([sums])
        mean, along = (sums / total).to(gradient.dtype).view(2, *scale.shape)
        return scale * (gradient - mean - standard * along), None, None
