"""Filters measured: what families explain of each, its Gabor function, colour, pass band and kind."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.inside.filters.colour import ColourShares, colour_patterns, colour_shares
from cnnlab.inside.filters.families import DERIVATIVES, DIFFERENCE_OF_GAUSSIANS, FAMILIES, GAUSSIAN, SMALLEST, templates
from cnnlab.inside.filters.fitting import fit, project
from cnnlab.inside.filters.frequency import PassBand, pass_bands
from cnnlab.inside.filters.gabor import Gabor, fit_gabor
from cnnlab.inside.filters.kinds import Direction, Form, Kind, direction_of, form_of, kind_of, winner


@dataclass(frozen=True)
class MeasuredFilter:
    """One filter. What families explain is of its principal colour component (see `colour.colour_patterns`)."""

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

    @property
    def direction(self) -> Direction | None:
        """The orientation in a word."""
        return None if self.orientation is None else direction_of(self.orientation)


def measure(weights: Float[Tensor, "n c h w"], *, starts: int = 3) -> Iterator[MeasuredFilter]:
    """The facts of each filter, one at a time: about a tenth of a second each.

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
    return _measured(weights, starts)


def _measured(weights: Tensor, starts: int) -> Iterator[MeasuredFilter]:
    found = colour_patterns(weights)
    bands = pass_bands(found.patterns)
    for index, filter_ in enumerate(weights.detach().cpu().double()):
        pattern = found.patterns[index].numpy()
        gabor = fit_gabor(pattern, starts=starts)
        explained, derivatives = _explained(pattern, gabor, starts)
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


def _explained(
    pattern: Float64[np.ndarray, "h w"], gabor: Gabor, starts: int
) -> tuple[dict[str, float], dict[str, float]]:
    """(R² by family, orientation in degrees of the nearest derivative by family)."""
    explained, orientations = {}, {}
    for name in FAMILIES:
        if name == "gabor":
            explained[name] = gabor.explained
        elif name == "gaussian":
            explained[name] = fit(GAUSSIAN, pattern, starts=starts).explained
        elif name == "difference of gaussians":
            fitted = fit(DIFFERENCE_OF_GAUSSIANS, pattern, starts=starts)
            # amplitudes of one sign make a sum, which a single Gaussian has to stand for
            difference = float(fitted.amplitudes.prod()) < 0
            explained[name] = max(fitted.explained, explained["gaussian"]) if difference else explained["gaussian"]
        else:
            projections = [project(basis, pattern.ravel()) for basis in templates(name, *pattern.shape)]
            amplitudes, explained[name] = max(projections, key=lambda projection: projection[1])
            if name in DERIVATIVES:
                # amplitudes are those across and upwards: the direction in which the weights rise
                rising = math.degrees(math.atan2(float(amplitudes[1]), float(amplitudes[0])))
                orientations[name] = (rising + 90) % 180
    return {name: explained[name] for name in FAMILIES}, orientations
