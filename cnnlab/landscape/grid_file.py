"""The losses over a plane as a `.npz` file, which is written on the way, so that nothing is measured twice."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.files import write_whole
from cnnlab.core.reading import read_file

MOST_BYTES = 100_000_000


@dataclass(frozen=True, eq=False)
class Grid:
    """A grid of places, and the loss at those that are done."""

    across: NDArray[np.float64]
    along: NDArray[np.float64]
    losses: NDArray[np.float64]
    """Rows along, columns across, in nats; NaN where none is measured yet, infinite where answers are not finite."""

    @classmethod
    def empty(cls, across: NDArray[np.float64], along: NDArray[np.float64]) -> "Grid":
        """A grid of which nothing is measured."""
        return cls(across, along, np.full((len(along), len(across)), np.nan))


def write_grid(path: Path, grid: Grid, key: Mapping[str, Any]) -> None:
    """Write the grid, whole, with what decides its losses."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, across=grid.across, along=grid.along, losses=grid.losses, key=np.array(json.dumps(key, sort_keys=True))
    )
    write_whole(path, buffer.getvalue())


def read_grid(path: Path, key: Mapping[str, Any]) -> Grid | None:
    """The grid in a file where the same decides its losses; None where there is no such file, or it holds another."""
    if not path.is_file():
        return None
    try:
        with np.load(io.BytesIO(read_file(path, at_most=MOST_BYTES)), allow_pickle=False) as file:
            if str(file["key"]) != json.dumps(key, sort_keys=True):
                return None
            return Grid(file["across"], file["along"], file["losses"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # damaged: it is made anew
