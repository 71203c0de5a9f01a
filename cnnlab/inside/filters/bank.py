"""All filters of a layer together: their kinds, orientations, what families explain, and that against a null.

That trained filters look like edges and Gabor functions is worth saying only where filters that learned nothing look
less so: random ones of the same shape, or those of the same network before its training. A fit says little at all on
filters of few weights: nearly any pattern is fitted well then.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from cnnlab.inside.filters.families import FAMILIES, PARAMETERS
from cnnlab.inside.filters.layer import Band
from cnnlab.inside.filters.measure import KINDS, Kind, MeasuredFilter
from cnnlab.stats.confidence import Interval, resampled_means

ORIENTATION_BINS = 8
PERCENTILE = 0.95


@dataclass(frozen=True)
class FilterBank:
    """What the filters of a layer are; shares 0 … 1."""

    n: int
    kinds: dict[Kind, int]
    """How many of each kind; every kind is there."""
    bands: dict[Band, int]
    """How many of each pass band that occurs."""
    orientations: tuple[int, ...]
    """Edges and gratings by orientation: bins of equal width, the first one centred on 0° (horizontal stripes)."""
    explained: dict[str, float]
    """Mean R² of each family over the filters."""
    energy_explained: dict[str, float]
    """Share of the whole layer's energy Σw² that the family's fits hold, colours and large filters counted in full."""
    component_share: float
    """Mean share of a filter's energy in its principal colour component."""
    chroma: float | None
    """Mean share of energy across luminance (random weights: 2/3); None unless filters have three channels."""
    axes: dict[str, int] | None
    """How many colour-opponent filters lie nearest to each opponent axis."""


@dataclass(frozen=True)
class AgainstNull:
    """One family: how much more it explains of these filters than of those that learned nothing."""

    family: str
    mean: float
    """Mean R² of the filters …"""
    null_mean: float
    """Mean of the null."""
    difference: float
    interval: Interval
    """Bootstrap over both sets of filters, 95 %."""
    threshold: float
    """The 95th percentile of R² in the null …"""
    above: float
    """Share of filters above that quantile: 0.05 is what chance gives."""

    @property
    def rediscovered(self) -> bool:
        """More than chance: the whole interval of the difference is above 0."""
        return self.interval.low > 0


def bank(filters: Sequence[MeasuredFilter]) -> FilterBank:
    """The facts of a layer from those of its filters.

    Raises: ValueError without filters.
    """
    if not filters:
        raise ValueError("no filters to sum up")
    kinds = Counter(f.kind for f in filters)
    counts = [0] * ORIENTATION_BINS
    for f in filters:
        if f.orientation is not None:
            counts[round(f.orientation * ORIENTATION_BINS / 180) % ORIENTATION_BINS] += 1
    whole = sum(f.energy for f in filters)
    held = {name: sum(f.energy * f.component_share * f.explained[name] for f in filters) for name in FAMILIES}
    colours = [f.colour for f in filters if f.colour is not None]
    opponent = [f.colour.nearest for f in filters if f.colour is not None and f.kind == "colour-opponent"]
    return FilterBank(
        n=len(filters),
        kinds={kind: kinds[kind] for kind in KINDS},
        bands=dict(Counter(f.band.band for f in filters)),
        orientations=tuple(counts),
        explained={name: fmean(f.explained[name] for f in filters) for name in FAMILIES},
        energy_explained={name: held[name] / whole if whole > 0 else 0.0 for name in FAMILIES},
        component_share=fmean(f.component_share for f in filters),
        chroma=fmean(c.chroma for c in colours) if colours else None,
        axes=dict(Counter(opponent)) if colours else None,
    )


def against_null(
    filters: Sequence[MeasuredFilter], null: Sequence[MeasuredFilter], *, seed: int
) -> tuple[AgainstNull, ...]:
    """Every family's R² for `filters` beside that for `null`, filters of the same shape that learned nothing.

    The interval is the percentile bootstrap's (Efron 1979) with 2,000 resamples of both sets, from `seed`.

    Raises: ValueError where either is empty.
    """
    if not filters or not null:
        raise ValueError(f"{len(filters)} filters and {len(null)} of the null: both need at least one")
    generator = torch.Generator().manual_seed(seed)
    made = []
    for name in FAMILIES:
        ours = torch.tensor([f.explained[name] for f in filters], dtype=torch.float64)
        theirs = torch.tensor([f.explained[name] for f in null], dtype=torch.float64)
        differences = resampled_means(ours, generator) - resampled_means(theirs, generator)
        low, high = differences.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
        threshold = float(theirs.quantile(PERCENTILE))
        made.append(
            AgainstNull(
                family=name,
                mean=float(ours.mean()),
                null_mean=float(theirs.mean()),
                difference=float(ours.mean() - theirs.mean()),
                interval=Interval(low, high),
                threshold=threshold,
                above=float((ours > threshold).double().mean()),
            )
        )
    return tuple(made)


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


def fit_evidence(height: int, width: int) -> Evidence:
    """Whether R² of a Gabor function on filters of height × width is evidence; on 3×3 it is not."""
    numbers, parameters = height * width, PARAMETERS["gabor"]
    enough = numbers >= NUMBERS_PER_PARAMETER * parameters
    counted = f"the family 'gabor' has {parameters} free numbers and a {height}×{width} filter has {numbers} weights"
    said = (
        "a good fit is evidence where random filters of this shape fit worse."
        if enough
        else "nearly any filter is fitted well, so R² is no evidence here."
    )
    return Evidence("gabor", numbers, parameters, max(0, numbers - parameters), enough, f"{counted}: {said}")


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
