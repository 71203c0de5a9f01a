"""Heat over an image: the map enlarged, its colours and how much of the image shows through.

`overlay` gives a scene as bare pixels: the image enlarged by a whole number, its heat over it, no axes and no words.
"""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from numpy.typing import NDArray

from cnnlab.view.png.theme import DIVERGING, HEAT, SEQUENTIAL
from cnnlab.view.scenes import HeatScale, Scene

_DECADES = 6
"""Decades of the log scale, below its greatest value."""
_LOWEST = 0.28
"""Share of the scale where colours over an image begin: what lies below is so dark that it would look like shadow."""
_SOON = 1.6
"""How much faster than the value the opacity grows."""


def enlarged(values: NDArray[Any], height: int, width: int, *, smooth: bool = True) -> NDArray[np.float64]:
    """`values` at height × width places: bilinear with half-pixel centres (edges continued), or the nearest cell.

    NaN spreads to the places that would mix it in.
    """
    rows, row_share = _places(values.shape[0], height, smooth)
    columns, column_share = _places(values.shape[1], width, smooth)
    map_ = np.asarray(values, dtype=float)
    tall = _mixed(map_[rows], map_[np.minimum(rows + 1, values.shape[0] - 1)], row_share[:, None])
    right = np.minimum(columns + 1, values.shape[1] - 1)
    return _mixed(tall[:, columns], tall[:, right], column_share[None, :])


def _places(cells: int, count: int, smooth: bool) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The cell before each of `count` places, and the share of the next one."""
    exact = (np.arange(count) + 0.5) * cells / count - (0.5 if smooth else 0)
    first = np.clip(np.floor(exact), 0, cells - 1)
    return first.astype(np.intp), np.clip(exact - first, 0, 1) if smooth else np.zeros(count)


def _mixed(first: NDArray[np.float64], second: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    # Not first + share · (second − first): with a share of 0, a NaN beside it must not get in.
    return np.where(share == 0, first, first * (1 - share) + second * share)


def in_colour(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image [h, w, 1 or 3] with three channels."""
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def norm(scenes: list[Scene]) -> Normalize:
    """From values to colours, the same for all `scenes`, whose maps are on one scale."""
    ranges = [_range(scene) for scene in scenes if scene.has_heat]
    low, high = min((low for low, _ in ranges), default=0.0), max((high for _, high in ranges), default=1.0)
    scale = scenes[0].heat_scale
    if scale == "log":
        return LogNorm(max(low, high * 10.0**-_DECADES), high) if low > 0 else Normalize(0, 1)
    return Normalize(low, high)


def _range(scene: Scene) -> tuple[float, float]:
    if scene.heat_range is not None:
        return scene.heat_range
    assert scene.heat is not None
    known = np.asarray(scene.heat[np.isfinite(scene.heat)], dtype=float)
    least, most = float(known.min()), float(known.max())
    match scene.heat_scale:
        case "positive":
            return 0.0, most
        case "signed":
            bound = max(-least, most)
            return -bound, bound
        case "log":
            positive = float(known[known > 0].min())
            return (positive, most) if positive < most else (most / 10, most)
        case "linear":
            return (least, most) if least < most else (least - abs(least) / 2, most + abs(most) / 2)


def colours(scale: HeatScale, alpha: float, *, over_image: bool) -> Colormap:
    """The scale's colours; over an image, those for nothing are transparent and the strongest have `alpha`."""
    if not over_image:
        return matplotlib.colormaps[DIVERGING if scale == "signed" else SEQUENTIAL].with_extremes(bad="#00000000")
    strength = np.linspace(-1 if scale == "signed" else 0, 1, 256)
    if scale == "signed":
        # Neither the pale middle, which would veil the image where there is next to nothing, nor the dark ends.
        table = matplotlib.colormaps[DIVERGING](0.5 + np.sign(strength) * (0.25 + 0.15 * np.abs(strength)))
    else:
        table = matplotlib.colormaps[HEAT](_LOWEST + (1 - _LOWEST) * strength)
    table[:, 3] = alpha * (1.0 if scale == "linear" else np.minimum(1, _SOON * np.abs(strength)))
    clear = "#00000000"
    return ListedColormap(table).with_extremes(bad=clear, under=clear if scale == "log" else None)


def ticks(norm: Normalize) -> list[float]:
    """Values at which a bar of these colours is labelled."""
    low, high = float(norm.vmin or 0), float(norm.vmax or 0)
    if isinstance(norm, LogNorm):
        powers = range(int(np.ceil(np.log10(low) - 1e-9)), int(np.floor(np.log10(high) + 1e-9)) + 1)
        found = [10.0**power for power in powers]
        return found if len(found) > 1 else [low, high]
    return [low, (low + high) / 2, high]


LONGER_SIDE = 224
"""Pixels that the longer side comes near to; a larger image stays as large as it is."""


def overlay(scene: Scene) -> NDArray[np.uint8]:
    """uint8 [h, w, 3]; where there is no heat, the image alone, or white paper."""
    times = max(1, round(LONGER_SIDE / max(scene.size)))
    height, width = (side * times for side in scene.size)
    if scene.image is None:
        ground = np.full((height, width, 3), 255.0)
    else:
        ground = in_colour(scene.image).repeat(times, axis=0).repeat(times, axis=1).astype(float)
    if scene.heat is None or not scene.has_heat:
        return ground.astype(np.uint8)
    values = enlarged(scene.heat, height, width, smooth=scene.is_smoothed)
    shades = colours(scene.heat_scale, scene.alpha, over_image=scene.image is not None)(
        norm([scene])(np.ma.masked_invalid(values))
    )
    strength = shades[..., 3:]
    mixed = ground * (1 - strength) + 255 * shades[..., :3] * strength
    return np.asarray(mixed.round().clip(0, 255), dtype=np.uint8)
