"""Steps of long work: generators that yield how many passes through the network each took, and return the result."""

from collections.abc import Generator, Iterator
from typing import TypeAlias, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

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
