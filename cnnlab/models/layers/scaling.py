"""What a branch weighs: values times one number, which is fixed, learned, or drawn while training. Shapes are kept.

In a residual branch they stand last, before the sum: `residual: {layers: [..., layer_scale, stochastic_depth]}`.
"""

from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.quantities import Fraction
from cnnlab.models.registry import LAYERS


@LAYERS.register("multiply")
def multiply(*, factor: float) -> "Multiply":
    """y = factor·x, a number that is not learned; any shape, kept.

    Networks without a norm keep their variance by it: after an activation, and at both ends of a residual branch.
    Source: Brock et al. 2021, arXiv:2101.08692, sections 3.1 and 4.1.
    """
    return Multiply(factor)


@LAYERS.register("layer_scale")
def layer_scale(shape: Shape, *, start: float = 1e-6, each: Literal["channel", "layer"] = "channel") -> "LayerScale":
    """y[c] = γ[c]·x[c], γ learned and `start` at first, so that a residual branch begins with little to say.

    (C, H, W) or (F,), kept. Parameters: C, or one for all channels with `each: layer` (SkipInit, which starts at 0).
    Sources: Touvron et al. 2021, arXiv:2103.17239, section 2; De & Smith 2020, arXiv:2002.10444.
    """
    return LayerScale(shape[0] if each == "channel" else None, start)


@LAYERS.register("stochastic_depth")
def stochastic_depth(*, probability: Fraction = 0.1, unit: Literal["image", "batch"] = "image") -> "StochasticDepth":
    """While training, an image is set to 0 with `probability`, the others divided by 1 − `probability`; shape kept.

    At the end of a residual branch the block is left out for that image. `unit: batch` draws once for all images of a
    batch. Source: Huang et al. 2016, arXiv:1603.09382, section 3.
    """
    return StochasticDepth(probability, unit)


@final
class Multiply(nn.Module):
    """See `multiply`."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, values: Float[Tensor, "n *shape"]) -> Float[Tensor, "n *shape"]:
        """(n, …), kept."""
        return values * self.factor

    def extra_repr(self) -> str:
        """The factor, for printing."""
        return f"factor={self.factor}"


@final
class LayerScale(nn.Module):
    """See `layer_scale`. `weight` (γ) is (C,), or a single number where `channels` is None."""

    def __init__(self, channels: int | None, start: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full(() if channels is None else (channels,), start))

    def forward(self, values: Float[Tensor, "n c *pixels"]) -> Float[Tensor, "n c *pixels"]:
        """(n, C, …), kept."""
        per_channel = self.weight if self.weight.dim() == 0 else self.weight.view(-1, *[1] * (values.dim() - 2))
        return values * per_channel

    def extra_repr(self) -> str:
        """The number of channels, for printing."""
        return str(len(self.weight)) if self.weight.dim() else "1 for all channels"


@final
class StochasticDepth(nn.Module):
    """See `stochastic_depth`."""

    def __init__(self, probability: float, unit: Literal["image", "batch"]) -> None:
        super().__init__()
        self.p = probability
        self.unit = unit

    def forward(self, values: Float[Tensor, "n *shape"]) -> Float[Tensor, "n *shape"]:
        """(n, …), kept."""
        if not self.training or self.p == 0:
            return values
        draws = len(values) if self.unit == "image" else 1
        kept = torch.empty(draws, *[1] * (values.dim() - 1), dtype=values.dtype, device=values.device)
        return values * kept.bernoulli_(1 - self.p).div_(1 - self.p)

    def extra_repr(self) -> str:
        """The options, for printing."""
        return f"p={self.p}, unit={self.unit}"
