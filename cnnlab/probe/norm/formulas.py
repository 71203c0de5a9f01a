"""Batch, layer, group and instance normalisation from their formulas, forward and backward.

All four are one formula, over other axes of x (N, C, H, W):

    μ = mean(x),  σ² = mean((x − μ)²),  x̂ = (x − μ)/√(σ² + ε),  y = γ·x̂ + β

| kind            | μ and σ² over     | as axes of       |
| batch           | N, H, W           | (N, C, H, W)     |
| layer           | C, H, W           | (N, C, H, W)     |
| group, G groups | C/G, H, W         | (N, G, C/G, H, W) |
| instance        | H, W              | (N, C, H, W)     |

Backward, with m values under each mean, and ∂ for the derivative of the loss L:

    ∂β = Σ ∂y,  ∂γ = Σ ∂y·x̂  (over all that shares that γ),  ∂x̂ = ∂y·γ
    ∂x = (∂x̂ − mean(∂x̂) − x̂·mean(∂x̂·x̂)) / √(σ² + ε)

The two means are what x does through μ and through σ². Since mean(x̂·(…)) and mean(…) are then 0, the gradient has no
part along a shift of x, and none along its scale. Source: Ioffe & Szegedy 2015, arXiv:1502.03167, section 3 and
algorithm 1; Wu & He 2018, arXiv:1803.08494, section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

EPS = 1e-5


@dataclass(frozen=True, eq=False)
class Normalised:
    """What the forward formula gives, and what the backward one needs of it."""

    output: Float[Tensor, "*shape"]
    """y."""
    standard: Float[Tensor, "*shape"]
    """x̂."""
    mean: Float[Tensor, "*statistics"]
    """μ, with axes of length 1 where it was taken."""
    variance: Float[Tensor, "*statistics"]
    """σ², the biased one: divided by m, not m − 1."""
    scale: Float[Tensor, "*parameters"]
    """γ, in a shape that spreads over x."""
    axes: tuple[int, ...]
    eps: float


def forward(x: Tensor, scale: Tensor, shift: Tensor, axes: tuple[int, ...], eps: float = EPS) -> Normalised:
    """Normalise x over `axes`, then scale and shift.

    Arguments:
        x: values of any shape.
        scale, shift: γ and β, in a shape that spreads over x.
        axes: over which μ and σ² are taken.
        eps: ε, so that nothing is divided by 0.

    Returns:
        y, and what `backward` needs.
    """
    mean = x.mean(axes, keepdim=True)
    variance = ((x - mean) ** 2).mean(axes, keepdim=True)
    standard = (x - mean) / torch.sqrt(variance + eps)
    return Normalised(scale * standard + shift, standard, mean, variance, scale, axes, eps)


def backward(gradient: Tensor, made: Normalised) -> tuple[Tensor, Tensor, Tensor]:
    """The derivatives of the loss by x, γ and β.

    Arguments:
        gradient: ∂y, in the shape of x.
        made: what `forward` gave.

    Returns:
        ∂x in the shape of x, ∂γ and ∂β in the shape of γ.
    """
    axes = made.axes
    by_standard = gradient * made.scale
    average = by_standard.mean(axes, keepdim=True)
    along = (by_standard * made.standard).mean(axes, keepdim=True)
    by_x = (by_standard - average - made.standard * along) / torch.sqrt(made.variance + made.eps)
    shape = made.scale.shape
    return by_x, (gradient * made.standard).sum_to_size(shape), gradient.sum_to_size(shape)


@final
class Normalise(torch.autograd.Function):
    """`forward` and `backward` as one operation, so that torch's autograd (and its gradient check) takes it."""

    @staticmethod
    def forward(context: Any, x: Tensor, scale: Tensor, shift: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
        """y; keeps what the way back needs."""
        made = forward(x, scale, shift, axes, eps)
        context.save_for_backward(made.output, made.standard, made.mean, made.variance, scale)
        context.axes, context.eps = axes, eps
        return made.output

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """(∂x, ∂γ, ∂β), and none for axes and ε."""
        output, standard, mean, variance, scale = context.saved_tensors
        made = Normalised(output, standard, mean, variance, scale, context.axes, context.eps)
        return (*backward(gradients[0], made), None, None)


def _along_channels(values: Tensor, x: Tensor) -> Tensor:
    """(C,) in a shape that spreads over x (N, C, …)."""
    return values.view(1, -1, *(1,) * (x.dim() - 2))


def _over(axes: Callable[[Tensor], tuple[int, ...]], x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    made: Tensor = Normalise.apply(x, _along_channels(scale, x), _along_channels(shift, x), axes(x), eps)
    return made


def batch_norm(x: Tensor, scale: Tensor, shift: Tensor, *, eps: float = EPS) -> Tensor:
    """Batch normalisation while training: each channel over all images and pixels.

    Arguments:
        x: (n, C, …).
        scale, shift: γ and β, (C,).
        eps: ε.

    Returns:
        y, in the shape of x.

    Example:
        >>> import torch
        >>> x = 5 + 3 * torch.randn(16, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> y = batch_norm(x, torch.ones(4), torch.zeros(4))
        >>> bool(y.mean((0, 2, 3)).abs().max() < 1e-5), bool((y.var((0, 2, 3), correction=0) - 1).abs().max() < 1e-5)
        (True, True)
    """
    return _over(lambda x: (0, *range(2, x.dim())), x, scale, shift, eps)


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, *, eps: float = EPS) -> Tensor:
    """Layer normalisation: each image over all of its channels and pixels; arguments as of `batch_norm`."""
    return _over(lambda x: tuple(range(1, x.dim())), x, scale, shift, eps)


def instance_norm(x: Tensor, scale: Tensor, shift: Tensor, *, eps: float = EPS) -> Tensor:
    """Instance normalisation: each channel of each image over its pixels; arguments as of `batch_norm`."""
    return _over(lambda x: tuple(range(2, x.dim())), x, scale, shift, eps)


def group_norm(x: Tensor, scale: Tensor, shift: Tensor, *, groups: int, eps: float = EPS) -> Tensor:
    """Group normalisation: each image over its pixels and the C/groups channels of a group.

    Arguments:
        x, scale, shift, eps: as of `batch_norm`.
        groups: divides C; with 1 group this is layer normalisation, with C groups instance normalisation.

    Returns:
        y, in the shape of x.
    """
    grouped = x.unflatten(1, (groups, -1))
    spread = [_along_channels(values, x).unflatten(1, (groups, -1)) for values in (scale, shift)]
    made: Tensor = Normalise.apply(grouped, *spread, tuple(range(2, grouped.dim())), eps)
    return made.flatten(1, 2)


def updated(running: Tensor, batch: Tensor, momentum: float) -> Tensor:
    """A running average after one more batch: (1 − momentum)·running + momentum·batch."""
    return (1 - momentum) * running + momentum * batch


def running_statistics(
    mean: Float[Tensor, "c"], variance: Float[Tensor, "c"], x: Float[Tensor, "n c *pixels"], *, momentum: float = 0.1
) -> tuple[Float[Tensor, "c"], Float[Tensor, "c"]]:
    """The running mean and variance of batch normalisation after a batch, as torch keeps them.

    The batch is normalised by its biased variance, and the running one is of unbiased variances, divided by m − 1.

    Arguments:
        mean, variance: before the batch; 0 and 1 at the start.
        x: the batch.
        momentum: the share of the new batch.

    Returns:
        Both after the batch.
    """
    axes = (0, *range(2, x.dim()))
    return updated(mean, x.mean(axes), momentum), updated(variance, x.var(axes, correction=1), momentum)
