"""The maps of one method for one batch of images, and what the method asks of the batch."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.attribution.head import Head
from cnnlab.attribution.target import Target
from cnnlab.core.errors import RequestError
from cnnlab.walk.layouts import Layouts


@dataclass(frozen=True, eq=False)
class PixelRange:
    """What the network sees where an image is black, and where it is white: a value for each channel."""

    black: Float[Tensor, "c"]
    white: Float[Tensor, "c"]


@dataclass(frozen=True, eq=False)
class Batch:
    """What is asked of at most `max_batch` images."""

    model: nn.Module
    images: Float[Tensor, "n c h w"]
    target: Target
    layers: tuple[str, ...]
    heads: dict[str, Head]
    """Heads by layer, for the methods that depend on it."""
    layouts: Layouts | None
    """Layouts of the network's outputs, where the methods look at layers."""
    eigen: bool
    """First principal component of the weighted feature maps in place of their sum."""
    max_batch: int
    seed: int
    pixels: PixelRange | None
    """None where nobody has said how images are normalised."""
    first: int
    """The number of its first image among all that were asked for."""
    of: int
    """How many images were asked for."""


@dataclass(frozen=True, eq=False)
class MethodMaps:
    """One method's part for one batch."""

    maps: tuple[Float[Tensor, "n t _ _"], ...]
    """One for each layer, or one of the image's size."""
    per_channel: Float[Tensor, "n t c h w"] | None = None
    delta: Float[Tensor, "n t"] | None = None
    notes: tuple[str, ...] = ()
    passes: int = 0
    """Passes of the method by itself, shared ones among them; counted by whoever runs it."""


class UnfitError(RequestError):
    """The network is not made for a method: it is left out, and the others go on."""


def is_affine(batch: Batch, layer: str) -> bool:
    """Whether the score is affine in the layer's maps: a class's logit behind an affine head."""
    return batch.target.function is None and layer in batch.heads and batch.heads[layer].affine
