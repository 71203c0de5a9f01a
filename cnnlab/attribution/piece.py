"""One method's part of the work on one batch of pictures, and what is asked of the batch."""

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.attribution.head import Head
from cnnlab.attribution.options import Options
from cnnlab.attribution.steps import Steps
from cnnlab.attribution.target import Target
from cnnlab.core.errors import RequestError
from cnnlab.walk.layouts import Layouts


@dataclass(frozen=True, eq=False)
class Batch:
    """What is asked of at most `max_batch` pictures."""

    model: nn.Module
    images: Float[Tensor, "n c h w"]
    target: Target
    layers: tuple[str, ...]
    heads: dict[str, Head]
    """By layer, for the methods that depend on it."""
    layouts: Layouts | None
    """Of the network's outputs, where the methods look at layers."""
    eigen: bool
    """First principal component of the weighted feature maps in place of their sum."""
    options: Options
    max_batch: int
    seed: int


@dataclass(frozen=True, eq=False)
class Piece:
    """One method's part for one batch."""

    maps: tuple[Float[Tensor, "n t _ _"], ...]
    """One for each layer, or one of the picture's size."""
    per_channel: Float[Tensor, "n t c h w"] | None = None
    delta: Float[Tensor, "n t"] | None = None
    notes: tuple[str, ...] = ()
    passes: int = 0


def counted(steps: Steps[Piece | RequestError]) -> Steps[Piece | RequestError]:
    """The same steps, with their passes added to the piece."""
    passes = 0
    while True:
        try:
            done = next(steps)
        except StopIteration as end:
            piece: Piece | RequestError = end.value
            return piece if isinstance(piece, RequestError) else replace(piece, passes=piece.passes + passes)
        passes += done
        yield done


def is_affine(batch: Batch, layer: str) -> bool:
    """Whether the score is affine in the layer's maps: a class's logit behind an affine head."""
    return batch.target.function is None and layer in batch.heads and batch.heads[layer].affine
