"""Average drop and increase in confidence: the target's probability when only what the map shows is left.

Chattopadhay et al. 2018 (Grad-CAM++), arXiv:1710.11063, section 4.1: the image times the map scaled to 0 … 1, with
Y the probability for the whole image and O for what is left. Maps that keep everything have no drop: a measure to be
read beside the controls, never alone.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.attribution.maps import at_image_size, positive_scaled
from cnnlab.attribution.measures.probability import composite_probabilities, target_probabilities


@dataclass(frozen=True, eq=False)
class Drop:
    """The probability of each image's target, whole and as far as its map shows it."""

    whole: Float[Tensor, "n"]
    """Y."""
    shown: Float[Tensor, "n"]
    """O."""

    @property
    def drop(self) -> Float[Tensor, "n"]:
        """max(0, Y − O)/Y, 0 … 1: the share of the confidence that is lost. 0 where Y is 0: nothing is left to lose."""
        some = self.whole > 0
        return (self.whole - self.shown).clamp(min=0) / torch.where(some, self.whole, torch.ones_like(self.whole))

    @property
    def increase(self) -> Float[Tensor, "n"]:
        """1 where O > Y, otherwise 0."""
        return (self.shown > self.whole).double()


def confidence_drop(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Tensor,
    maps: Float[Tensor, "n h2 w2"],
    *,
    max_batch: int = 256,
) -> Drop:
    """Both probabilities of each (normalised) image, in float64.

    The map's positive part is divided by its largest value; what it hides becomes 0, the data set's mean. A map without
    positive evidence shows nothing, and so its image is all mean.

    Raises: RequestError and WorkError as `composite_probabilities`; what `at_image_size` raises.
    """
    height, width = images.shape[2:]
    shown = positive_scaled(at_image_size(maps, (height, width))).to(images)
    return Drop(
        target_probabilities(model, images, targets, max_batch=max_batch),
        composite_probabilities(model, lambda rows: images[rows] * shown[rows, None], targets, max_batch=max_batch),
    )
