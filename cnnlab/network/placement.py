"""The place of what a network sees on an image: the way back from `cnnlab.data.fitting.Fitting`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlab.data.fitting import Fitting


@dataclass(frozen=True)
class Placement:
    """The edges of what is seen, in heights and widths of the image, from its upper left corner.

    (0, 1, 0, 1) is the whole image; black bars reach beyond it, a cut leaves some of it out.
    """

    top: float
    bottom: float
    left: float
    right: float

    def seen(self, height: int, width: int) -> tuple[int, int, int, int] | None:
        """First and last row, first and last column that the network sees; None where it sees all of them."""
        rows = round(max(0.0, self.top) * height), round(min(1.0, self.bottom) * height) - 1
        columns = round(max(0.0, self.left) * width), round(min(1.0, self.right) * width) - 1
        found = (rows[0], max(rows), columns[0], max(columns))
        return None if found == (0, height - 1, 0, width - 1) else found


WHOLE = Placement(0.0, 1.0, 0.0, 1.0)


def placement_of(height: int, width: int, fitting: Fitting) -> Placement:
    """The placement of what `fitting` makes of an image of `height` × `width` pixels.

    Example:
        >>> placement_of(100, 100, Fitting((64, 128)))
        Placement(top=0.25, bottom=0.75, left=0.0, right=1.0)
    """
    window = fitting.window(height, width)
    (top, left, tall, broad), (high, wide), (above, before) = window.cut, window.resized, window.corner
    rows = (_share(edge, top, tall, high, height) for edge in (above, above + fitting.size[0]))
    columns = (_share(edge, left, broad, wide, width) for edge in (before, before + fitting.size[1]))
    return Placement(*rows, *columns)


def _share(edge: int, start: int, cut: int, resized: int, whole: int) -> float:
    """The place of an edge in a side of `whole` pixels, of which `cut` from `start` on are `resized`; rounded once."""
    return (start * resized + edge * cut) / (resized * whole)


def laid_over(
    values: NDArray[np.floating], placement: Placement, size: tuple[int, int], *, smooth: bool
) -> NDArray[np.float64]:
    """A map of what is seen [h, w] on an image of `size` (height, width) in pixels; NaN where the network saw nothing.

    Smooth: bilinear with half-pixel centres, as `F.interpolate` with `align_corners=False`. Otherwise the nearest cell.
    """
    rows, row_share, in_rows = _cells(values.shape[0], placement.top, placement.bottom, size[0], smooth)
    columns, column_share, in_columns = _cells(values.shape[1], placement.left, placement.right, size[1], smooth)
    exact = np.asarray(values, dtype=np.float64)
    below, right = np.minimum(rows + 1, len(exact) - 1), np.minimum(columns + 1, exact.shape[1] - 1)
    tall = exact[rows] * (1 - row_share[:, None]) + exact[below] * row_share[:, None]
    laid: NDArray[np.float64] = tall[:, columns] * (1 - column_share) + tall[:, right] * column_share
    laid[~(in_rows[:, None] & in_columns[None, :])] = np.nan
    return laid


def _cells(
    cells: int, first: float, last: float, count: int, smooth: bool
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.bool_]]:
    """The cell before the centre of each of `count` pixels, the share of the next cell, and whether it is seen."""
    share = ((np.arange(count) + 0.5) / count - first) / (last - first)
    exact = share * cells - (0.5 if smooth else 0.0)
    before = np.clip(np.floor(exact), 0, cells - 1)
    rest = np.clip(exact - before, 0, 1) if smooth else np.zeros(count)
    return before.astype(np.intp), rest, (share >= 0) & (share < 1)
