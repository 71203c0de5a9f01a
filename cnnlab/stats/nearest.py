"""The points nearest to one, by the angle between them."""

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


def nearest_neighbours(
    features: Float[Tensor, "n d"], query: Float[Tensor, "d"], *, count: int = 8, leave_out: int | None = None
) -> Neighbours:
    """The rows of `features` with the largest cosine to `query`; `leave_out` is the row of the image itself.

    Raises: RequestError unless 1 ≤ count ≤ the number of rows that are left.
    """
    left = len(features) - (leave_out is not None)
    if not 1 <= count <= left:
        raise RequestError(f"{count} neighbours among {left} images: expected 1 to {left}")
    rows = nn.functional.normalize(features.detach().cpu().double(), dim=1)
    cosine = rows @ nn.functional.normalize(query.detach().cpu().double(), dim=0)
    rank = cosine.clone()
    if leave_out is not None:
        rank[leave_out] = -torch.inf
    order = rank.sort(stable=True, descending=True).indices[:count]
    return Neighbours(order, cosine[order].clamp(-1, 1))
