"""What kind of filter a filter is: edge, grating, blob, colour-opponent or other, by a rule that is written down.

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
from collections.abc import Mapping
from typing import Literal

from cnnlab.inside.filters.colour import ColourShares
from cnnlab.inside.filters.families import DERIVATIVES, FAMILIES, PARAMETERS
from cnnlab.inside.filters.gabor import Gabor

Form = Literal["edge", "grating", "blob", "other"]
Kind = Literal["edge", "grating", "blob", "colour-opponent", "other"]
Direction = Literal["horizontal", "vertical", "diagonal"]

KINDS: tuple[Kind, ...] = ("edge", "grating", "blob", "colour-opponent", "other")
ENOUGH = 0.5
"""Adjusted share of the energy from which a family names a form."""
ONE_COLOUR = 0.6
PURE_COLOUR = 0.75
EDGE_CYCLES = 1.0
HALF_SECTOR = 22.5
"""Degrees from an axis within which an orientation is called horizontal or vertical: four sectors of equal width."""


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
    if family in DERIVATIVES:
        return "edge"
    if family == "gabor":
        return "edge" if gabor.odd and gabor.cycles <= EDGE_CYCLES else "grating"
    return "blob"


def kind_of(form: Form, component_share: float, colour: ColourShares | None) -> Kind:
    """The form, or colour-opponent where one colour difference holds most of the energy."""
    if colour and component_share >= ONE_COLOUR and colour.chroma_of_principal >= PURE_COLOUR:
        return "colour-opponent"
    return form


def direction_of(orientation: float) -> Direction:
    """The name of an orientation in degrees, 0 … 180, of the stripes: 0 horizontal, 90 vertical."""
    distance = abs((orientation + 45) % 90 - 45)
    if distance > HALF_SECTOR:
        return "diagonal"
    return "vertical" if 45 < orientation < 135 else "horizontal"
