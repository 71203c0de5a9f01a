"""Families of patterns fitted to patterns: linear ones by projection, others by separable bounded least squares.

What is explained is the share of the pattern's energy, 1 − Σ(p − fit)²/Σp²: not centred, so that a constant counts as
a pattern too. Shapes are searched for from the best points of a grid, all searches of all patterns at once (`search`).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from cnnlab.inside.filters.search import RANK, Family, search, spans
from cnnlab.models.kernels import Array, coordinates


@dataclass(frozen=True, eq=False)
class Fitted:
    """The best member of a family found for a pattern."""

    shape: Float64[np.ndarray, "q"]
    amplitudes: Float64[np.ndarray, "a"]
    explained: float
    """0 … 1."""


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


def fit(family: Family, patterns: Float64[np.ndarray, "n h w"], *, starts: int = 6) -> tuple[Fitted, ...]:
    """The best fit of `family` to each pattern from its `starts` best grid points; the same every time."""
    count, height, width = patterns.shape
    flat = patterns.reshape(count, -1)
    norms = np.linalg.norm(flat, axis=1)
    values = flat / np.where(norms > 0, norms, 1.0)[:, None]
    begun = [_best_starts(family, height, width, one, starts) for one in values]
    owners = np.repeat(np.arange(count), [len(some) for some in begun])
    shapes, amplitudes, explained = search(family, height, width, np.concatenate(begun), values[owners])
    fitted = []
    for number, norm in enumerate(norms):
        ours = np.flatnonzero(owners == number)
        best = ours[np.argmax(explained[ours])]
        fitted.append(Fitted(shapes[best], amplitudes[best] * norm, float(explained[best])))
    return tuple(fitted)


def _best_starts(family: Family, height: int, width: int, values: Array, count: int) -> Array:
    """The grid's best points for these values, none of them next to a better one in every parameter."""
    grid, bases = _grid(family, height, width)
    explained = (np.einsum("gpa,p->ga", bases, values) ** 2).sum(1)
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
    return grid, spans(family.basis(grid, *coordinates(height, width)))[0]
