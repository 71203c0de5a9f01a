"""Filters of a convolution, the nulls that they are held against, and whether a fit says anything at their size."""

from dataclasses import dataclass

from torch import Tensor

from cnnlab.core.errors import RequestError, unknown
from cnnlab.inside.filters.bank import AgainstNull, FilterBank
from cnnlab.inside.filters.families import PARAMETERS
from cnnlab.inside.filters.measure import MeasuredFilter

NUMBERS_PER_PARAMETER = 3
"""Weights a free number: with fewer nearly any pattern is fitted well; a 5×5 filter just has them for a Gabor."""


@dataclass(frozen=True)
class Evidence:
    """How much a family's R² on filters of one size can say."""

    family: str
    numbers: int
    """Weights of one pattern."""
    parameters: int
    """Free numbers of the family."""
    degrees_of_freedom: int
    """Numbers less parameters: what is left to disagree, at least 0."""
    evidence: bool
    sentence: str


def fit_evidence(height: int, width: int, *, family: str = "gabor") -> Evidence:
    """Whether R² of `family` on filters of height × width is evidence; a Gabor function on 3×3 is not.

    Raises: RequestError for a family that is not there.
    """
    if family not in PARAMETERS:
        raise RequestError(unknown("family", family, PARAMETERS))
    numbers, parameters = height * width, PARAMETERS[family]
    enough = numbers >= NUMBERS_PER_PARAMETER * parameters
    free = f"{parameters} free number" + ("s" if parameters > 1 else "")
    counted = f"the family '{family}' has {free} and a {height}×{width} filter has {numbers} weights"
    sentence = (
        f"{counted}: a good fit is evidence where random filters of this shape fit worse."
        if enough
        else f"{counted}: nearly any filter is fitted well, so R² is no evidence here."
    )
    return Evidence(family, numbers, parameters, max(0, numbers - parameters), enough, sentence)


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
