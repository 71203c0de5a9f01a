"""Pixels or channels that change places; nothing is lost."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.quantities import NonNegative, Positive
from cnnlab.core.seeds import derive_seed
from cnnlab.models.layers.inputs import check_groups, image
from cnnlab.models.registry import LAYERS


@LAYERS.register("permute_pixels")
def permute_pixels(shape: Shape, *, seed: NonNegative = 0) -> "PermutePixels":
    """The pixels in another order, the same for all images, in training and afterwards; (C, H, W), kept.

    The order follows from `seed` and the size; the channels of a pixel stay together, and `inverse` undoes it. What a
    dense layer can learn is the same as before; neighbours, of which convolutions make use, are strangers. No
    parameters, one image size.
    """
    _, height, width = image(shape)
    return PermutePixels((height, width), seed)


@LAYERS.register("channel_shuffle")
def channel_shuffle(shape: Shape, *, groups: Positive = 2) -> nn.ChannelShuffle:
    """The channels dealt out like cards: one of each group in turn, so that groups do not stay among themselves.

    (C, H, W), kept; channel i of group g goes to place i·groups + g. `groups` has to divide C. No parameters. Source:
    Zhang et al. 2017 (ShuffleNet), arXiv:1707.01083, section 3.1.
    """
    channels, *_ = image(shape)
    check_groups(groups, channels)
    return nn.ChannelShuffle(groups)


@final
class PermutePixels(nn.Module):
    """See `permute_pixels`. `order` (H·W) is where each pixel comes from; it follows from the options."""

    order: Tensor

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        super().__init__()
        self.size, self.seed = size, seed
        generator = torch.Generator().manual_seed(derive_seed(seed, "permute pixels"))
        order = torch.randperm(size[0] * size[1], generator=generator, device="cpu")
        self.register_buffer("order", order.to(torch.get_default_device()), persistent=False)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """(n, C, H, W), kept."""
        moved: Tensor = images.flatten(2).index_select(2, self.order).unflatten(2, self.size)
        return moved

    def inverse(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The images whose permutation this is."""
        back: Tensor = images.flatten(2).index_select(2, self.order.argsort()).unflatten(2, self.size)
        return back

    def extra_repr(self) -> str:
        """The options, for printing."""
        return f"size={self.size}, seed={self.seed}"
