"""How an image of any size becomes what a network sees."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from cnnlab.core.arithmetic import Shape
from cnnlab.data.batches import ChannelStatistics, normalise
from cnnlab.data.fitting import Fit, Fitting, Interpolation


def _shown(value: float) -> str:
    """Three decimals, or four digits where those are not all of it: 0.500, 0.1307, 0.0001."""
    short = f"{value:.3f}"
    return short if abs(float(short) - value) < 1e-7 else f"{value:.4g}"


@dataclass(frozen=True)
class Preparation:
    """Size, fit and statistics, as in training."""

    shape: Shape
    """(channels, height, width) in pixels."""
    fit: Fit
    statistics: ChannelStatistics
    """What is taken off and divided by, of pixels in 0 … 1."""
    source: str
    """Whose statistics and fit these are."""
    interpolation: Interpolation = "bilinear"
    crop_share: float | None = None
    """As `Fitting` has it."""

    @property
    def fitting(self) -> Fitting:
        """How images come to the network's size."""
        return Fitting((self.shape[1], self.shape[2]), self.fit, self.interpolation, self.crop_share)

    @property
    def sentence(self) -> str:
        """The preparation in a sentence."""
        mean, std = (", ".join(map(_shown, values)) for values in (self.statistics.mean, self.statistics.std))
        return f"each image: {self.fitting.sentence}, mean {mean} taken off, divided by {std} ({self.source})"

    def as_json(self) -> dict[str, Any]:
        """The preparation without its shape, as plain data."""
        return self.fitting.as_json() | {
            "mean": list(self.statistics.mean),
            "std": list(self.statistics.std),
            "source": self.source,
        }

    def inputs(self, pixels: UInt8[Tensor, "n c h w"]) -> Tensor:
        """Fitted images as the network takes them, float32."""
        return normalise(pixels, self.statistics)
