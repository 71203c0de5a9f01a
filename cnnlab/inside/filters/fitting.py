"""Families of patterns fitted to a pattern: linear ones by projection, others by separable bounded least squares.

What is explained is the share of the pattern's energy, 1 − Σ(p − fit)²/Σp²: not centred, so that a constant counts as
a pattern too. Amplitudes enter linearly and are solved for at every step, so that only the shape is searched for
(variable projection: Golub & Pereyra 1973, SIAM J. Numer. Anal. 10:413); the search starts from the best points of a
grid and stays within bounds (scipy's trust region reflective).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float64

Array = np.ndarray[Any, np.dtype[np.float64]]

RANK = 1e-3
"""Singular values below this share of the largest count as zero: two amplitudes that nearly cancel are no fit."""
PERFECT = 1 - 1e-9
"""Explained so much, no other start is tried."""


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


@dataclass(frozen=True, eq=False)
class Fitted:
    """The best member of a family found for a pattern."""

    shape: Float64[np.ndarray, "q"]
    amplitudes: Float64[np.ndarray, "a"]
    explained: float
    """0 … 1."""


def coordinates(height: int, width: int) -> tuple[Float64[np.ndarray, "p"], Float64[np.ndarray, "p"]]:
    """(x, y) of the pixels of a window, row by row, in px from its centre: x to the right, y upwards."""
    rows, columns = np.indices((height, width), dtype=np.float64)
    return (columns - (width - 1) / 2).ravel(), ((height - 1) / 2 - rows).ravel()


def project(basis: Float64[np.ndarray, "p a"], pattern: Float64[np.ndarray, "p"]) -> tuple[Array, float]:
    """(amplitudes (a,), share of the pattern's energy explained) of the nearest member of a linear family.

    A pattern of zeros is explained by nothing: 0.
    """
    energy = float(pattern @ pattern)
    amplitudes = np.asarray(np.linalg.lstsq(basis, pattern, rcond=RANK)[0])
    if energy == 0:
        return amplitudes, 0.0
    rest = pattern - basis @ amplitudes
    return amplitudes, max(0.0, 1 - float(rest @ rest) / energy)


def fit(family: Family, pattern: Float64[np.ndarray, "h w"], *, starts: int = 3) -> Fitted:
    """The best fit of `family` to `pattern` from its `starts` best grid points; the same every time."""
    # scipy.optimize takes a third of a second to import, and only this needs it
    from scipy.optimize import least_squares

    height, width = pattern.shape
    norm = float(np.linalg.norm(pattern))
    values = pattern.ravel() / norm if norm > 0 else pattern.ravel()
    x, y = coordinates(height, width)
    lower, upper = family.bounds(height, width)
    bounded = np.isfinite(lower) & np.isfinite(upper)
    scale = np.where(bounded, np.subtract(upper, lower, where=bounded, out=np.ones_like(lower)), 1.0)

    def rest(shape: Array) -> Array:
        basis = family.basis(shape, x, y)
        return np.asarray(values - basis @ np.linalg.lstsq(basis, values, rcond=RANK)[0])

    best: Fitted | None = None
    for start in _best_starts(family, height, width, values, starts):
        found = least_squares(rest, start, bounds=(lower, upper), x_scale=scale, max_nfev=60)
        amplitudes, explained = project(family.basis(found.x, x, y), values)
        if best is None or explained > best.explained:
            best = Fitted(found.x, amplitudes * norm, explained)
        if explained >= PERFECT:
            break
    assert best is not None
    return best


def _best_starts(family: Family, height: int, width: int, values: Array, count: int) -> Array:
    """The grid's best points for these values, none of them next to a better one in every parameter."""
    grid, spans = _grid(family, height, width)
    explained = (np.einsum("gpa,p->ga", spans, values) ** 2).sum(1)
    step = np.array([_step(column) for column in grid.T])
    lower, upper = family.bounds(height, width)
    chosen: list[Array] = []
    for index in np.argsort(-explained, kind="stable"):
        candidate = grid[index]
        if all(np.any(np.abs(candidate - other) > 1.5 * step) for other in chosen):
            chosen.append(candidate)
        if len(chosen) == count:
            break
    return np.clip(np.array(chosen), lower + 1e-6, upper - 1e-6)


def _step(column: Array) -> float:
    """The largest distance between neighbouring values of a grid's axis."""
    values = np.unique(column)
    return float(np.diff(values).max()) if len(values) > 1 else 0.0


@lru_cache(maxsize=32)
def _grid(family: Family, height: int, width: int) -> tuple[Array, Array]:
    """(the grid's points (g, q), an orthonormal basis of each point's span (g, p, a))."""
    grid = family.grid(height, width)
    u, s, _ = np.linalg.svd(family.basis(grid, *coordinates(height, width)), full_matrices=False)
    return grid, u * (s > RANK * s[:, :1])[:, None, :]
