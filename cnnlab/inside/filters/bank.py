"""All filters of a layer together: their kinds, orientations, what families explain, and that against a null.

That trained filters look like edges and Gabor functions is worth saying only where filters that learned nothing look
less so: random ones of the same shape, or those of the same network before its training.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from cnnlab.inside.filters.families import FAMILIES
from cnnlab.inside.filters.frequency import Band
from cnnlab.inside.filters.kinds import KINDS, Kind
from cnnlab.inside.filters.measure import MeasuredFilter
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
