"""Filters of a convolution and the nulls that they are held against, as facts of a report."""

from dataclasses import dataclass

from torch import Tensor

from cnnlab.inside.filters.bank import AgainstNull, FilterBank
from cnnlab.inside.filters.evidence import Evidence
from cnnlab.inside.filters.measure import MeasuredFilter


@dataclass(frozen=True, eq=False)
class NullBank:
    """Filters of the same shape that learned nothing, and how these differ from them."""

    name: str
    words: str
    bank: FilterBank
    against: tuple[AgainstNull, ...]
    gains: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class FilterFacts:
    """A layer's filters, and every null they are compared with, the nearest one first."""

    model: str
    trained: bool
    layer: str
    weights: Tensor
    """[n, c, h, w], as torch stores them."""
    patterns: Tensor
    """[n, h, w]: each filter's first singular pattern over its channels."""
    filters: tuple[MeasuredFilter, ...]
    bank: FilterBank
    evidence: Evidence
    nulls: tuple[NullBank, ...]
    frequencies: tuple[float, ...]
    """Middles of the bins, in cycles per pixel."""
    gains: tuple[float, ...]
    """Mean gain in each bin, as shares of each filter's peak."""
