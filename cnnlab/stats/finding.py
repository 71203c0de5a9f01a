"""How well a search finds what is known to be there: precision, recall, average precision."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from cnnlab.stats.confidence import LEVEL, Interval, wilson_interval

RESAMPLES = 500
"""Draws of an interval of average precision."""


@dataclass(frozen=True)
class Search:
    """What was found of what is there."""

    there: int
    """How many there are to be found."""
    chosen: int
    """How many were named …"""
    right: int
    """… and how many of these are among them."""
    average_precision: float
    """Over the whole order, 0 … 1; the share that is there is what a random order has."""
    average_precision_interval: Interval

    @property
    def precision(self) -> float | None:
        """The share of those named that is right; None where none is named."""
        return self.right / self.chosen if self.chosen else None

    @property
    def precision_interval(self) -> Interval | None:
        """Wilson's 95 % interval."""
        return wilson_interval(self.right, self.chosen) if self.chosen else None

    @property
    def recall(self) -> float | None:
        """The share of what is there that is named; None where nothing is there."""
        return self.right / self.there if self.there else None

    @property
    def recall_interval(self) -> Interval | None:
        """Wilson's 95 % interval."""
        return wilson_interval(self.right, self.there) if self.there else None


def search(
    there: Bool[Tensor, "n"], chosen: Int64[Tensor, "k"], scores: Float[Tensor, "n"], *, seed: int = 0
) -> Search:
    """Judge a choice, and the order that it was made by.

    Arguments:
        there: which of n are to be found.
        chosen: the indices that were named.
        scores: of all n; larger is likelier to be one.
        seed: of the images drawn again and again for the interval of average precision.

    Returns:
        The counts, with 95 % intervals.

    Example:
        >>> found = search(torch.tensor([True, False, True]), torch.tensor([0]), torch.tensor([3.0, 2.0, 1.0]))
        >>> found.precision, found.recall, round(found.average_precision, 3)
        (1.0, 0.5, 0.833)
    """
    order = scores.double().argsort(descending=True, stable=True)
    ends = _ends(scores.double()[order])
    hits = there[order].double()
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for _ in range(RESAMPLES):
        times = torch.randint(len(there), (len(there),), generator=generator).bincount(minlength=len(there)).double()
        drawn.append(_average_precision(hits, times, ends))
    tail = (1 - LEVEL) / 2
    low, high = torch.tensor(drawn, dtype=torch.float64).quantile(torch.tensor([tail, 1 - tail]).double()).tolist()
    return Search(
        there=int(there.sum()),
        chosen=len(chosen),
        right=int(there[chosen].sum()),
        average_precision=_average_precision(hits, torch.ones_like(hits), ends),
        average_precision_interval=Interval(low, high),
    )


def _ends(ordered: Float64[Tensor, "n"]) -> Int64[Tensor, "k"]:
    """The last place of each run of equal scores: these have no order among them."""
    _, counts = ordered.unique_consecutive(return_counts=True)
    ends: Tensor = counts.cumsum(0) - 1
    return ends


def _average_precision(hits: Float64[Tensor, "n"], times: Float64[Tensor, "n"], ends: Int64[Tensor, "k"]) -> float:
    """The sum of precision over the gains of recall, each image taken so many times; 0 where nothing is there."""
    right, taken = (hits * times).cumsum(0)[ends], times.cumsum(0)[ends]
    total = float(right[-1])
    if not total:
        return 0.0
    gains = right.diff(prepend=right.new_zeros(1))
    return float((gains * right / taken.clamp_min(1)).sum() / total)
