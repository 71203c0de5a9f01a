"""Attention over channels: each channel times a gate that follows from the whole image."""

from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import ShapeError
from cnnlab.core.quantities import Positive
from cnnlab.core.registry import component
from cnnlab.models.layers import activation as _activation  # noqa: F401  registers the defaults below
from cnnlab.models.layers.inputs import image
from cnnlab.models.registry import LAYERS, Layer, LayerBuilder

RELU = component("layer", "relu")
SIGMOID = component("layer", "sigmoid")


@LAYERS.register("squeeze_excite")
def squeeze_excite(
    shape: Shape,
    build: LayerBuilder,
    *,
    ratio: Positive = 16,
    multiple: Positive = 1,
    activation: Layer = RELU,
    gate: Layer = SIGMOID,
) -> "SqueezeExcite":
    """Each channel times a number between 0 and 1 that follows from the means of all channels; (C, H, W), kept.

    s = g(W₂·f(W₁·m + b₁) + b₂), y[c] = s[c]·x[c], with m the channels' means, f the `activation`, g the `gate` and
    h = floor(C/ratio) hidden units; of these the next multiple of `multiple` that is no less than 0.9·h and no less
    than `multiple` (8 in MobileNet v3). Parameters: 2·C·h + h + C. Sources: Hu et al. 2018, arXiv:1709.01507,
    equations 2 to 4; Howard et al. 2019, arXiv:1905.02244, section 5.3.
    """
    channels, *_ = image(shape)
    hidden = channels // ratio
    if hidden < 1:
        raise ShapeError(
            f"ratio: {ratio} leaves no hidden unit for its {channels} input channels; at most {channels} fits"
        )
    hidden = rounded(hidden, multiple)
    between, _ = build([activation], (hidden,))
    last, _ = build([gate], (channels,))
    return SqueezeExcite(channels, hidden, between[0], last[0])


def rounded(channels: int, multiple: int) -> int:
    """The multiple of `multiple` that is nearest to `channels`, half up, at least one and no less than 0.9·channels.

    Source: `make_divisible` of the authors' code (TensorFlow slim's MobileNet).

    Example:
        >>> [rounded(channels, 8) for channels in (2, 12, 18, 30)]
        [8, 16, 24, 32]
    """
    nearest = max(multiple, (channels + multiple // 2) // multiple * multiple)
    return nearest if nearest >= 0.9 * channels else nearest + multiple


@final
class SqueezeExcite(nn.Module):
    """See `squeeze_excite`. Its two maps are `nn.Linear`, so that whoever looks for convolutions does not find them."""

    def __init__(self, channels: int, hidden: int, activation: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, hidden)
        self.activation = activation
        self.expand = nn.Linear(hidden, channels)
        self.gate = gate

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """(n, C, H, W), kept."""
        squeezed = images.mean(dim=(2, 3))
        excited: Tensor = self.gate(self.expand(self.activation(self.reduce(squeezed))))
        return images * excited[:, :, None, None]
