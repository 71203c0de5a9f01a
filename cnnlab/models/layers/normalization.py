"""Normalisation: y = γ·(x − μ)/√(σ² + ε) + β, with μ and the biased variance σ² over other axes in each layer.

| layer              | μ and σ² over         | other images matter |
| batch_norm         | N, H, W, per channel  | while training        |
| layer_norm         | C, H, W, per image  | no                    |
| channel_layer_norm | C, per pixel          | no                    |
| instance_norm      | H, W, per channel     | no                    |
| group_norm         | H, W, channel groups  | no                    |

All keep the shape. Source: Wu & He 2018, arXiv:1803.08494, figure 2.
"""

from math import prod
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.quantities import Positive, PositiveNumber, Probability
from cnnlab.models.layers.inputs import check_groups, check_several, image
from cnnlab.models.registry import LAYERS


@LAYERS.register("none")
def none() -> nn.Identity:
    """No normalisation, y = x: what to write where a norm or an activation is expected and none is wanted."""
    return nn.Identity()


@LAYERS.register("batch_norm")
def batch_norm(
    shape: Shape, *, eps: PositiveNumber = 1e-5, momentum: Probability = 0.1, affine: bool = True
) -> nn.BatchNorm2d | nn.BatchNorm1d:
    """Batch normalisation: each channel over the batch and all pixels; in eval mode by running averages.

    Running mean ← (1 − momentum)·mean + momentum·batch mean, and so the variance (the unbiased one). (C, H, W) or
    (F,), kept. Parameters: C gammas and C betas if `affine`. Source: Ioffe & Szegedy 2015, arXiv:1502.03167,
    algorithm 1.
    """
    if len(shape) == 1:
        return nn.BatchNorm1d(shape[0], eps=eps, momentum=momentum, affine=affine)
    channels, *_ = image(shape)
    return nn.BatchNorm2d(channels, eps=eps, momentum=momentum, affine=affine)


@LAYERS.register("layer_norm")
def layer_norm(
    shape: Shape, *, eps: PositiveNumber = 1e-5, affine: Literal["channel", "element", "none"] = "channel"
) -> nn.GroupNorm | nn.LayerNorm:
    """Layer normalisation: each image over all of its channels and pixels (C, H, W); (C, H, W) or (F,), kept.

    `affine`: "channel" has a γ and a β per channel, as group normalisation with one group, and works at any image
    size; "element" has them per value (2·C·H·W parameters, one image size), as `torch.nn.LayerNorm`. For a norm
    over C at each pixel see `channel_layer_norm`. Source: Ba et al. 2016, arXiv:1607.06450; Wu & He 2018,
    arXiv:1803.08494.
    """
    check_several(prod(shape), "an image")
    if len(shape) == 1 or affine == "element":
        return nn.LayerNorm(shape, eps=eps, elementwise_affine=affine != "none")
    return nn.GroupNorm(1, shape[0], eps=eps, affine=affine == "channel")


@LAYERS.register("channel_layer_norm")
def channel_layer_norm(shape: Shape, *, eps: PositiveNumber = 1e-6, affine: bool = True) -> "ChannelLayerNorm":
    """Layer normalisation over the channels at each pixel, as in ConvNeXt; (C, H, W) or (F,), kept.

    Parameters: C gammas and C betas if `affine`. Source: Liu et al. 2022, arXiv:2201.03545, section 2.6.
    """
    check_several(shape[0], "a pixel")
    return ChannelLayerNorm(shape[0], eps=eps, elementwise_affine=affine)


@LAYERS.register("group_norm")
def group_norm(shape: Shape, *, groups: Positive = 32, eps: PositiveNumber = 1e-5, affine: bool = True) -> nn.GroupNorm:
    """Group normalisation: each image over its pixels and the channels of a group; (C, H, W) or (F,), kept.

    `groups` has to divide C; with C groups it is instance normalisation, with 1 layer normalisation. Parameters: C
    gammas and C betas if `affine`. Source: Wu & He 2018, arXiv:1803.08494 (whose default is 32 groups).
    """
    check_groups(groups, shape[0])
    check_several(prod(shape) // groups, "a group")
    return nn.GroupNorm(groups, shape[0], eps=eps, affine=affine)


@LAYERS.register("instance_norm")
def instance_norm(shape: Shape, *, eps: PositiveNumber = 1e-5, affine: bool = False) -> nn.InstanceNorm2d:
    """Instance normalisation: each channel of each image over its pixels; (C, H, W), kept.

    No parameters unless `affine` (PyTorch's default), then C gammas and C betas. Source: Ulyanov et al. 2016,
    arXiv:1607.08022.
    """
    channels, height, width = image(shape)
    check_several(height * width, "a channel of its 1×1 input")
    return nn.InstanceNorm2d(channels, eps=eps, affine=affine)


@LAYERS.register("dyt")
def dyt(shape: Shape, *, alpha: PositiveNumber = 0.5) -> "DynamicTanh":
    """Dynamic tanh: y = γ·tanh(α·x) + β, in place of a norm, without statistics; (C, H, W) or (F,), kept.

    Parameters: one α that starts at `alpha`, C gammas, C betas. Source: Zhu et al. 2025, arXiv:2503.10622, algorithm 1.
    """
    return DynamicTanh(shape[0], alpha)


@final
class ChannelLayerNorm(nn.LayerNorm):
    """`torch.nn.LayerNorm` over axis 1; see `channel_layer_norm`."""

    def forward(self, input: Float[Tensor, "n c *pixels"]) -> Float[Tensor, "n c *pixels"]:
        """(n, C, …), kept."""
        last = F.layer_norm(input.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps)
        return last.movedim(-1, 1)


@final
class DynamicTanh(nn.Module):
    """See `dyt`. `alpha` is one number, `weight` (γ) and `bias` (β) are (C,)."""

    def __init__(self, channels: int, alpha: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(alpha))
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, images: Float[Tensor, "n c *pixels"]) -> Float[Tensor, "n c *pixels"]:
        """(n, C, …), kept."""
        per_channel = (-1,) + (1,) * (images.dim() - 2)
        squashed = torch.tanh(self.alpha * images)
        return squashed * self.weight.view(per_channel) + self.bias.view(per_channel)

    def extra_repr(self) -> str:
        """The number of channels, for printing."""
        return str(len(self.weight))
