"""How an image of any size becomes what a network sees."""

from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from cnnlab.core.arithmetic import Shape
from cnnlab.data.batches import ChannelStatistics, normalise
from cnnlab.data.decoding import Fit


@dataclass(frozen=True)
class Preparation:
    """Size, fit and statistics, as in training."""

    shape: Shape
    """(channels, height, width) in pixels, a square."""
    fit: Fit
    statistics: ChannelStatistics
    """What is taken off and divided by, of pixels in 0 … 1."""
    source: str
    """Whose statistics and fit these are."""

    @property
    def sentence(self) -> str:
        """The preparation in a sentence."""
        ways = {"crop": "the middle square is cut out", "pad": "black bars make it square", "stretch": "stretched"}
        mean, std = (", ".join(f"{v:.3f}" for v in values) for values in (self.statistics.mean, self.statistics.std))
        return (
            f"each image: {ways[self.fit]}, resized to {self.shape[1]} × {self.shape[2]} px, mean {mean} taken off, "
            f"divided by {std} ({self.source})"
        )

    def inputs(self, pixels: UInt8[Tensor, "n c h w"]) -> Tensor:
        """Fitted images as the network takes them, float32."""
        return normalise(pixels, self.statistics)
