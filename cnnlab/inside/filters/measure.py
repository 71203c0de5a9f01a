"""Filters measured: what families explain of each, its Gabor function, colour, pass band and kind.

The kind (edge, grating, blob, colour-opponent or other) follows a rule:

1. Of the families that are fitted, the one with the largest *adjusted* share wins: 1 − (1 − R²)·p/(p − q) with p pixels
   and q free numbers, so that a family is not ahead for its many parameters alone.
2. The form follows from the winner: first derivatives are an edge; constants, Gaussians, their differences and
   Laplacians a blob (a constant is a blob wider than the window); a Gabor function is an edge if it is odd and has at
   most one wave within ±2σ, so two lobes, and a grating (lines among them) otherwise. If the winner explains less than
   half after adjustment, the form is other.
3. The kind is the form, but colour-opponent where a filter of three channels is one colour times one pattern (its
   principal component holds 60 % of the energy) and that colour has 75 % of its squared length across luminance, 60°
   and more from grey. Half of all random colours lie there: compare with the kinds of random filters.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.inside.filters.families import (
    DIFFERENCE_OF_GAUSSIANS,
    FAMILIES,
    GAUSSIAN,
    PARAMETERS,
    SMALLEST,
    Gabor,
    fit_gabors,
    templates,
)
from cnnlab.inside.filters.fitting import Fitted, fit, project
from cnnlab.inside.filters.layer import ColourShares, PassBand, colour_patterns, colour_shares, pass_bands
from cnnlab.models.kernels import SMOOTHING, Array

Form = Literal["edge", "grating", "blob", "other"]
Kind = Literal["edge", "grating", "blob", "colour-opponent", "other"]

KINDS: tuple[Kind, ...] = ("edge", "grating", "blob", "colour-opponent", "other")
ENOUGH = 0.5
"""Adjusted share of the energy from which a family names a form."""
ONE_COLOUR = 0.6
PURE_COLOUR = 0.75
EDGE_CYCLES = 1.0


def adjusted(explained: float, *, numbers: int, parameters: int) -> float:
    """R² that pays for parameters: −∞ where as many are free as there are numbers."""
    if parameters >= numbers:
        return -math.inf
    return 1 - (1 - explained) * numbers / (numbers - parameters)


def winner(explained: Mapping[str, float], *, numbers: int) -> tuple[str, float]:
    """(family, adjusted share) of the best family; among equals the one with fewer parameters."""
    shares = {name: adjusted(explained[name], numbers=numbers, parameters=PARAMETERS[name]) for name in FAMILIES}
    best = max(FAMILIES, key=lambda name: (round(shares[name], 9), -PARAMETERS[name]))
    return best, shares[best]


def form_of(family: str, share: float, gabor: Gabor) -> Form:
    """The form of a filter whose best family explains `share` after adjustment."""
    if not share >= ENOUGH:
        return "other"
    if family in SMOOTHING:
        return "edge"
    if family == "gabor":
        return "edge" if gabor.odd and gabor.cycles <= EDGE_CYCLES else "grating"
    return "blob"


def kind_of(form: Form, component_share: float, colour: ColourShares | None) -> Kind:
    """The form, or colour-opponent where one colour difference holds most of the energy."""
    if colour and component_share >= ONE_COLOUR and colour.chroma_of_principal >= PURE_COLOUR:
        return "colour-opponent"
    return form


@dataclass(frozen=True)
class MeasuredFilter:
    """One filter. What families explain is of its principal colour component (see `colour_patterns`)."""

    index: int
    energy: float
    """Σw² over all channels, in squared units of the weights; 0 for a filter that has been pruned away."""
    component_share: float
    """Share of the energy, 0 … 1: how far the filter is one colour times one pattern."""
    explained: dict[str, float]
    """R² of each family, in the order of `families.FAMILIES`: share of the pattern's energy, not centred, 0 … 1."""
    family: str
    """The best one once parameters are paid for."""
    form: Form
    kind: Kind
    gabor: Gabor
    orientation: float | None
    """Degrees of an edge's or grating's stripes counter-clockwise from the horizontal, 0 … 180; None without one."""
    colour: ColourShares | None
    """None unless the filter has three input channels."""
    band: PassBand


AT_ONCE = 16
"""Filters fitted together: some hundredths of a second for all of them."""


def measure(weights: Float[Tensor, "n c h w"], *, starts: int = 6) -> Iterator[MeasuredFilter]:
    """The facts of each filter, one at a time.

    `weights` as torch stores them, for cross-correlation; `starts` is how many searches each family with a shape gets.

    Raises: RequestError for filters smaller than 3×3, which have no pattern; WorkError where a weight is NaN or
    infinite.
    """
    height, width = int(weights.shape[2]), int(weights.shape[3])
    if min(height, width) < SMALLEST:
        raise RequestError(
            f"its filters are {height}×{width}: a pattern needs at least {SMALLEST}×{SMALLEST}; "
            "name a convolution with larger ones"
        )
    found = colour_patterns(weights)
    bands = pass_bands(found.patterns)
    filters = weights.detach().cpu().double()
    for index, (pattern, fits) in enumerate(_fitted(found.patterns.numpy(), starts)):
        filter_, gabor = filters[index], fits.gabor
        explained, derivatives = _explained(pattern, fits)
        family, share = winner(explained, numbers=pattern.size)
        form = form_of(family, share, gabor)
        component_share = float(found.shares[index])
        colour = colour_shares(filter_, found.colours[index]) if len(filter_) == 3 else None
        orientation = derivatives.get(family, gabor.orientation) if form in ("edge", "grating") else None
        yield MeasuredFilter(
            index=index,
            energy=float((filter_**2).sum()),
            component_share=component_share,
            explained=explained,
            family=family,
            form=form,
            kind=kind_of(form, component_share, colour),
            gabor=gabor,
            orientation=orientation,
            colour=colour,
            band=bands[index],
        )


@dataclass(frozen=True)
class _Fits:
    """One pattern's nearest members of the families with a shape."""

    gabor: Gabor
    gaussian: Fitted
    difference: Fitted


def _fitted(patterns: Float64[np.ndarray, "n h w"], starts: int) -> Iterator[tuple[Array, _Fits]]:
    """Each pattern with its fits."""
    for first in range(0, len(patterns), AT_ONCE):
        some = patterns[first : first + AT_ONCE]
        families = (fit(family, some, starts=starts) for family in (GAUSSIAN, DIFFERENCE_OF_GAUSSIANS))
        yield from zip(some, map(_Fits, fit_gabors(some, starts=starts), *families), strict=True)


def _explained(pattern: Float64[np.ndarray, "h w"], fits: _Fits) -> tuple[dict[str, float], dict[str, float]]:
    """(R² by family, orientation in degrees of the nearest derivative by family)."""
    explained, orientations = {}, {}
    for name in FAMILIES:
        if name == "gabor":
            explained[name] = fits.gabor.explained
        elif name == "gaussian":
            explained[name] = fits.gaussian.explained
        elif name == "difference of gaussians":
            # amplitudes of one sign make a sum, which a single Gaussian has to stand for
            difference = float(fits.difference.amplitudes.prod()) < 0
            both = (fits.difference.explained, fits.gaussian.explained)
            explained[name] = max(both) if difference else fits.gaussian.explained
        else:
            projections = [project(basis, pattern.ravel()) for basis in templates(name, *pattern.shape)]
            amplitudes, explained[name] = max(projections, key=lambda projection: projection[1])
            if name in SMOOTHING:
                # amplitudes are those across and upwards: the direction in which the weights rise
                rising = math.degrees(math.atan2(float(amplitudes[1]), float(amplitudes[0])))
                orientations[name] = (rising + 90) % 180
    return {name: explained[name] for name in FAMILIES}, orientations
