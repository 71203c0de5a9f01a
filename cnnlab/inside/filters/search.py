"""Shapes of a family searched for, for many patterns at once: separable least squares within bounds.

Amplitudes enter linearly and are solved for at every step, so that only the shape is searched for (variable projection:
Golub & Pereyra 1973, SIAM J. Numer. Anal. 10:413) with the slopes of Kaufman 1975, BIT 15:49. A step is that of
Levenberg and Marquardt (Marquardt 1963, J. SIAM 11:431), cut at the bounds; what would leave them stands still.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from cnnlab.models.kernels import Array, coordinates

RANK = 1e-3
"""Singular values below this share of the largest count as zero: two amplitudes that nearly cancel are no fit."""
STEPS = 120
"""At most so many tries a search."""
NEARER = 1e-8
"""A step that takes less than this share of what is left ends the search."""
FOUND = 1e-20
"""Of a pattern of energy 1 so little is left: nothing but rounding."""
ASIDE = 1e-5
"""How far shapes are moved for their slopes, to both sides, in px and radians."""
DAMPING = (1e-2, 1e-9, 1e6)
"""At first, at least, and at most, as a share of the curvature: beyond the last no step helps."""


@dataclass(frozen=True)
class Family:
    """A family of patterns with `shapes` searched for and `amplitudes` solved for."""

    name: str
    basis: Callable[[Array, Array, Array], Array]
    """(shapes (…, q), x (p,), y (p,)) → (…, p, amplitudes); x to the right, y upwards, in px from the centre."""
    grid: Callable[[int, int], Array]
    """(height, width) → starts (g, q)."""
    bounds: Callable[[int, int], tuple[Array, Array]]
    """(height, width) → lower and upper bounds (q,)."""


def spans(bases: Float64[np.ndarray, "m p a"]) -> tuple[Array, Array]:
    """(an orthonormal basis of each span (m, p, a), what makes its coordinates amplitudes (m, a, a)); see `RANK`."""
    u, s, vt = np.linalg.svd(bases, full_matrices=False)
    kept = s > RANK * s[:, :1]
    return u * kept[:, None, :], vt.transpose(0, 2, 1) * np.where(kept, 1 / np.where(kept, s, 1.0), 0.0)[:, None, :]


def search(
    family: Family,
    height: int,
    width: int,
    starts: Float64[np.ndarray, "m q"],
    values: Float64[np.ndarray, "m p"],
) -> tuple[Array, Array, Array]:
    """Search for a shape from each start; searches do not know of each other.

    Arguments:
        family: what is fitted.
        height: of the window, in px.
        width: of the window, in px.
        starts: shapes within the bounds.
        values: the pattern for each start, row by row, of length 1; or zeros.

    Returns:
        The shapes (m, q), their amplitudes (m, a), and the shares of the patterns' energy that they explain (m,).
    """
    x, y = coordinates(height, width)
    lower, upper = family.bounds(height, width)
    shapes = starts.copy()
    spanned, turned = spans(family.basis(shapes, x, y))
    rests = values - _within(spanned, values)
    damping = np.full(len(shapes), DAMPING[0])
    going = np.arange(len(shapes))
    for _ in range(STEPS):
        shape, rest, ours = shapes[going], rests[going], values[going]
        slopes = _slopes(family, shape, _amplitudes(spanned[going], turned[going], ours), spanned[going], x, y)
        gradient = np.einsum("mqp,mp->mq", slopes, rest)
        curvature = np.einsum("mqp,mkp->mqk", slopes, slopes)
        stands = ((shape <= lower) & (gradient > 0)) | ((shape >= upper) & (gradient < 0))
        free = np.where(stands, 0.0, 1.0)
        moved = np.clip(shape - _step(gradient, curvature, free, damping[going]), lower, upper)
        new_spanned, new_turned = spans(family.basis(moved, x, y))
        new_rest = ours - _within(new_spanned, ours)
        before, after = (rest**2).sum(1), (new_rest**2).sum(1)
        better = after < before
        taken = going[better]
        shapes[taken], rests[taken] = moved[better], new_rest[better]
        spanned[taken], turned[taken] = new_spanned[better], new_turned[better]
        damping[going] = np.where(better, np.maximum(damping[going] / 5, DAMPING[1]), damping[going] * 4)
        arrived = (better & (before - after < NEARER * before)) | (np.minimum(before, after) < FOUND)
        going = going[~arrived & (damping[going] < DAMPING[2])]
        if not len(going):
            break
    energies = (values**2).sum(1)
    explained = np.where(energies > 0, 1 - (rests**2).sum(1) / np.where(energies > 0, energies, 1.0), 0.0)
    return shapes, _amplitudes(spanned, turned, values), np.maximum(explained, 0.0)


def _within(spanned: Array, values: Array) -> Array:
    """The part of each pattern that lies in its span: (m, p)."""
    return np.asarray(np.einsum("mpa,ma->mp", spanned, np.einsum("mpa,mp->ma", spanned, values)))


def _amplitudes(spanned: Array, turned: Array, values: Array) -> Array:
    return np.asarray(np.einsum("mba,ma->mb", turned, np.einsum("mpa,mp->ma", spanned, values)))


def _slopes(family: Family, shapes: Array, amplitudes: Array, spanned: Array, x: Array, y: Array) -> Array:
    """How the rests change with each number of the shapes: (m, q, p)."""
    aside = ASIDE * np.eye(shapes.shape[1])
    bases = family.basis(shapes[:, None] + aside, x, y) - family.basis(shapes[:, None] - aside, x, y)
    patterns = np.einsum("mqpa,ma->mqp", bases, amplitudes) / (2 * ASIDE)
    return np.asarray(np.einsum("mpa,mqa->mqp", spanned, np.einsum("mpa,mqp->mqa", spanned, patterns)) - patterns)


def _step(gradient: Array, curvature: Array, free: Array, damping: Array) -> Array:
    """The damped step (m, q), 0 for what is not free (1 or 0)."""
    tiny = 1e-12  # a number on which nothing depends stays where it is
    curvature = curvature * free[:, :, None] * free[:, None, :]
    held = damping[:, None] * (np.einsum("mqq->mq", curvature) + tiny) + tiny + (1 - free)
    damped = curvature + held[:, :, None] * np.eye(gradient.shape[1])
    return np.asarray(np.linalg.solve(damped, (gradient * free)[:, :, None])[..., 0])
