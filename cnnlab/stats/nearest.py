"""The points nearest to others, by the angle between them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from cnnlab.core.errors import RequestError


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The images most like one, the most like first; among equals the one that stands first."""

    indices: Int64[Tensor, "count"]
    """Rows of the features that were searched."""
    similarity: Float64[Tensor, "count"]
    """Cosine, −1 … 1; 0 where either has length 0."""


class NearestSearch:
    """An exact search in float64 over features that come in parts, of which none is kept.

    Memory: a cosine for each query and row of a part, and `count` for each query.

    Example:
        >>> search = NearestSearch(torch.tensor([[1.0, 0.0]]), 2)
        >>> search.add(torch.tensor([[0.0, 1.0], [1.0, 1.0]]), 0)
        >>> search.add(torch.tensor([[2.0, 0.0]]), 2)
        >>> search.found[0].indices
        tensor([2, 1])
    """

    def __init__(
        self, queries: Float[Tensor, "m d"], count: int, *, leave_out: Int64[Tensor, "m"] | None = None
    ) -> None:
        """Begin a search.

        Arguments:
            queries: what the nearest are looked for of.
            count: how many for each, at most.
            leave_out: a row for each query that is none of its neighbours: its own.
        """
        self._directions = nn.functional.normalize(queries.detach().cpu().double(), dim=1)
        self._count, self._leave_out = count, leave_out
        self._indices = torch.empty(len(queries), 0, dtype=torch.int64)
        self._cosine = torch.empty(len(queries), 0, dtype=torch.float64)

    def add(self, features: Float[Tensor, "b d"], first: int) -> None:
        """Search rows `first`, `first + 1` …, which come after those that were searched before."""
        rows = nn.functional.normalize(features.detach().cpu().double(), dim=1)
        numbers = torch.arange(first, first + len(rows)).expand(len(self._directions), -1)
        cosine = self._directions @ rows.T
        if self._leave_out is not None:
            cosine = cosine.masked_fill(numbers == self._leave_out[:, None], -torch.inf)
        indices, cosine = torch.cat([self._indices, numbers], 1), torch.cat([self._cosine, cosine], 1)
        order = cosine.sort(dim=1, descending=True, stable=True).indices[:, : self._count]
        self._indices, self._cosine = indices.gather(1, order), cosine.gather(1, order)

    @property
    def found(self) -> tuple[Neighbours, ...]:
        """The nearest of each query among the rows so far: fewer than `count` where there were fewer."""
        made = []
        for indices, cosine in zip(self._indices, self._cosine, strict=True):
            there = cosine > -torch.inf
            made.append(Neighbours(indices[there], cosine[there].clamp(-1, 1)))
        return tuple(made)


def nearest_neighbours(
    features: Float[Tensor, "n d"], query: Float[Tensor, "d"], *, count: int = 8, leave_out: int | None = None
) -> Neighbours:
    """The rows of `features` with the largest cosine to `query`; `leave_out` is the row of the image itself.

    Raises: RequestError unless 1 ≤ count ≤ the number of rows that are left.
    """
    left = len(features) - (leave_out is not None)
    if not 1 <= count <= left:
        raise RequestError(f"{count} neighbours among {left} images: expected 1 to {left}")
    search = NearestSearch(query[None], count, leave_out=None if leave_out is None else torch.tensor([leave_out]))
    search.add(features, 0)
    return search.found[0]
