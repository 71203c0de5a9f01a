"""The maps of one method for one batch of images, and what the method asks of the batch.

A method works in steps: a generator that yields how many passes through the network each took, and returns the result.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import torch
from jaxtyping import Float, Int64
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


Result = TypeVar("Result")
Steps: TypeAlias = Generator[int, None, Result]
"""Work that yields passes done since the last step, and returns its result.

A pass is one run of the network, forward or backward, on a batch of any size up to `max_batch`. Between two steps the
network is as the caller left it, so that work may be given up at any step.
"""


def finished(steps: Steps[Result]) -> Result:
    """The result of `steps`, done to the end without a word."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def at_once(result: Result) -> Steps[Result]:
    """The steps of work that takes no pass."""
    yield from ()
    return result


def row_chunks(n: int, each: int, max_batch: int) -> Iterator[tuple[Int64[Tensor, "b"], Int64[Tensor, "b"]]]:
    """Pairs (image, item), `each` items for each of n images, image by image, at most `max_batch` at a time."""
    pairs = torch.arange(n * each)
    for chunk in pairs.split(max_batch):
        yield chunk // each, chunk % each


def add_to_images(total: Float[Tensor, "n *s"], rows: Int64[Tensor, "b"], values: Float[Tensor, "b *s"]) -> None:
    """Add row i of `values` to image `rows[i]` of `total`, in place.

    Not `index_add_`, which on a GPU adds in an order that changes from run to run.
    """
    rows = rows.to(values.device)
    for image in rows.unique().tolist():
        total[image] += values[rows == image].sum(0)


def passes_for(rows: int, max_batch: int) -> int:
    """How many batches of at most `max_batch` hold `rows`."""
    return -(-rows // max_batch)
