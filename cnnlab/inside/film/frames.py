"""Filters over a training: their weights at each epoch, and how early they are what they will be in the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from cnnlab.core.errors import RequestError, unknown

FROZEN = 0.95
"""Cosine with the final filter from which a filter counts as settled: an angle of 18°."""


@dataclass(frozen=True, eq=False)
class Frame:
    """The filters at one epoch."""

    epoch: int
    filters: Float[Tensor, "n c h w"]
    """Filters as stored, for cross-correlation."""
    similarity: Float64[Tensor, "n"]
    """Cosine of each filter with its final self, −1 … 1; 0 where either is all zeros."""


@dataclass(frozen=True)
class Film:
    """All frames, in order of epochs, with what they have in common."""

    layer: str
    frames: tuple[Frame, ...]
    settled: tuple[int, ...]
    """The first epoch of each filter from which on it stays within a cosine of `FROZEN` of its final self."""


def film(epochs: Sequence[tuple[int, Mapping[str, Tensor]]], weight: str) -> Film:
    """The filters named `weight` (such as `conv1.weight`) through `epochs`: (epoch, weights by name), rising.

    Cosines do not see a filter's length: weight decay alone does not count as change.

    Raises: RequestError without epochs, for a name that is not among the weights, and for weights that are no filters
    (filters, channels, height, width) or change their shape; ValueError where epochs do not rise.
    """
    if not epochs:
        raise RequestError("no epochs to make a film of: the run kept no checkpoints")
    numbers = [epoch for epoch, _ in epochs]
    if any(a >= b for a, b in pairwise(numbers)):
        raise ValueError(f"epochs {numbers}: expected them in rising order")
    found = []
    for epoch, weights in epochs:
        if weight not in weights:
            raise RequestError(f"epoch {epoch}: {unknown('weight', weight, weights)}")
        found.append(weights[weight].detach().float().cpu())
    shapes = {tuple(filters.shape) for filters in found}
    if len(shapes) > 1 or found[0].dim() != 4:
        listed = ", ".join(map(str, sorted(shapes)))
        raise RequestError(f"'{weight}' is of shape {listed}: expected one (filters, channels, height, width)")
    final = torch.nn.functional.normalize(found[-1].double().flatten(1), dim=1)
    cosines = [(torch.nn.functional.normalize(f.double().flatten(1), dim=1) * final).sum(1) for f in found]
    frames = tuple(
        Frame(epoch, filters, cosine.clamp(-1, 1))
        for epoch, filters, cosine in zip(numbers, found, cosines, strict=True)
    )
    near = torch.stack(cosines) >= FROZEN
    # from the end backwards: how many frames in a row are near the final one
    lasting = near.flip(0).int().cumprod(0).sum(0).clamp_min(1)
    settled = tuple(numbers[len(numbers) - int(count)] for count in lasting)
    return Film(weight.removesuffix(".weight"), frames, settled)
