"""Scenes: what is seen on an image or on empty paper, as data: heat, boxes, contours and points in its pixels.

Row 0 and column 0 are the top left pixel; a pixel's centre has whole coordinates, its square reaches half a pixel to
each side. A map of another resolution covers the whole image, its cells equal rectangles (half-pixel centres).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

HeatScale = Literal["positive", "signed", "log", "linear"]


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, its first and last row and column included; it may reach beyond the image.

    Raises: ValueError where the last row or column stands before the first.
    """

    label: str
    first_row: int
    last_row: int
    first_column: int
    last_column: int
    colour: int = 0
    style: Literal["solid", "dashed"] = "solid"

    def __post_init__(self) -> None:
        if self.last_row < self.first_row or self.last_column < self.first_column:
            raise ValueError(f"box {self.label!r}: rows {self.first_row} to {self.last_row}, "
                             f"columns {self.first_column} to {self.last_column}")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Contour:
    """The line along which a map, of any resolution, has the value `level`.

    Raises: ValueError for a map that has not two dimensions of at least one cell each.
    """

    values: NDArray[np.generic]
    level: float
    label: str
    colour: int = 1
    style: Literal["solid", "dashed"] = "solid"

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or 0 in self.values.shape:
            raise ValueError(f"contour {self.label!r}: a map of {self.values.shape}, expected two dimensions")


@dataclass(frozen=True)
class Point:
    """A place that is pointed at."""

    row: float
    column: float
    label: str = ""
    colour: int = 2


@dataclass(frozen=True)
class Peak:
    """The strongest place of a map: its value, and its cell's centre in pixels of the image."""

    value: float
    row: float
    column: float


@dataclass(frozen=True, eq=False)
class Scene:
    """An image (or empty paper of its size) and what is drawn over it.

    Raises: ValueError for an image or a map that does not fit, a map without a label, and negative heat that is said
    to be positive.
    """

    size: tuple[int, int]
    """Height and width in px."""
    image: NDArray[np.uint8] | None = None
    """[h, w, 1 or 3]."""
    heat: NDArray[np.generic] | None = None
    """Floats [h', w'], in their unit; NaN is left out."""
    heat_label: str = ""
    """What the colours say, with the unit."""
    heat_scale: HeatScale = "positive"
    """positive: from 0, where the image shows through; signed: about 0; log: decades; linear: from least to most."""
    heat_range: tuple[float, float] | None = None
    """What the ends of the colours stand for, where several images are to be compared; otherwise from the values."""
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    """How a map that is coarser than the image is enlarged; one of the same size is drawn as it is."""
    alpha: float = 0.75
    """How opaque the strongest heat is over an image."""
    nothing: str = ""
    """Said instead of a map that is zero everywhere; without it, a sentence that fits the scale."""
    boxes: tuple[Box, ...] = ()
    contours: tuple[Contour, ...] = ()
    points: tuple[Point, ...] = ()
    window: tuple[int, int, int, int] | None = None
    """First and last row and column that are shown at least, so that an image stays still from frame to frame."""
    unit: str = "px"
    """Unit of rows and columns."""
    title: str = ""
    """Only needed inside `Scenes`."""
    caption: str = ""
    """Under the panel, inside `Scenes`."""

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise ValueError(f"a scene of {self.size[0]} × {self.size[1]} px")
        if self.image is not None:
            shape = self.image.shape
            if self.image.dtype != np.uint8 or len(shape) != 3 or shape[:2] != self.size or shape[2] not in (1, 3):
                raise ValueError(f"a scene's image of {self.image.dtype} {shape}: "
                                 f"expected uint8 [{self.size[0]}, {self.size[1]}, 1 or 3]")  # fmt: skip
        if self.window is not None:
            Box("window", *self.window)
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha {self.alpha}: expected above 0, at most 1")
        if self.heat is not None:
            self._check_heat(self.heat)

    def _check_heat(self, heat: NDArray[np.generic]) -> None:
        if heat.dtype.kind != "f" or heat.ndim != 2 or 0 in heat.shape:
            raise ValueError(f"heat of {heat.dtype} {heat.shape}: expected floats with two dimensions")
        if not self.heat_label:
            raise ValueError("heat without a label: expected what it measures, and its unit")
        least = float(np.min(heat, initial=0, where=~np.isnan(heat)))
        if self.heat_scale == "positive" and least < 0:
            raise ValueError(f"heat down to {least:.3g} on the scale 'positive'; expected 'signed'")
        if self.heat_range is not None:
            low, high = self.heat_range
            starts = {"positive": low == 0, "signed": low == -high, "log": low > 0, "linear": True}
            if not (low < high and starts[self.heat_scale]):
                raise ValueError(f"heat from {low:g} to {high:g} on the scale '{self.heat_scale}'")

    @property
    def has_heat(self) -> bool:
        """Whether there is a map with anything in it: a value that is not zero, on a log scale one above zero."""
        if self.heat is None:
            return False
        known = self.heat[np.isfinite(self.heat)]
        return bool((known > 0).any() if self.heat_scale == "log" else (known != 0).any())

    @property
    def peak(self) -> Peak | None:
        """Place where the map is strongest, by size on the scale 'signed'; the first such cell, row by row."""
        if self.heat is None or not self.has_heat:
            return None
        values = np.where(np.isfinite(self.heat), np.asarray(self.heat, dtype=float), -np.inf)
        ranked = np.where(np.isfinite(values), np.abs(values), -np.inf) if self.heat_scale == "signed" else values
        cell = divmod(int(ranked.argmax()), values.shape[1])
        row, column = (
            (place + 0.5) * length / cells - 0.5
            for place, length, cells in zip(cell, self.size, values.shape, strict=True)
        )
        return Peak(float(values[cell]), row, column)

    @property
    def is_smoothed(self) -> bool:
        """Whether there is a map that is interpolated between its cells' centres: a coarser one than the image."""
        return self.heat is not None and self.interpolation == "bilinear" and self.heat.shape != self.size

    @property
    def absence(self) -> str:
        """The sentence that stands for a map without anything in it; empty where there is something, or no map."""
        if self.heat is None or self.has_heat:
            return ""
        if not bool(np.isfinite(self.heat).any()):
            return "no finite value"
        return self.nothing or ("no positive evidence" if self.heat_scale == "positive" else "zero everywhere")


@dataclass(frozen=True, eq=False)
class Scenes:
    """Scenes as panels, row by row, each with its title and caption.

    Raises: ValueError without scenes, with labels that do not fit the grid, with maps of unlike scales on a shared one.
    """

    scenes: tuple[Scene, ...]
    columns: int
    shared_scale: bool = False
    """One colour bar for all maps; `heat_label` is then the first one's."""
    row_labels: tuple[str, ...] = ()
    column_titles: tuple[str, ...] = ()
    figure_size: tuple[float, float] | None = None
    """Width and height in inches, kept to the pixel; without it, as large as is readable."""
    dpi: int | None = None
    """Pixels per inch, with `figure_size`."""

    def __post_init__(self) -> None:
        if not self.scenes or self.columns < 1:
            raise ValueError(f"{len(self.scenes)} scenes in {self.columns} columns")
        if self.row_labels and len(self.row_labels) != self.rows:
            raise ValueError(f"{len(self.row_labels)} row labels for {self.rows} rows")
        if self.column_titles and len(self.column_titles) != self.columns:
            raise ValueError(f"{len(self.column_titles)} column titles for {self.columns} columns")
        scales = {scene.heat_scale for scene in self.scenes if scene.heat is not None}
        if self.shared_scale and len(scales) > 1:
            raise ValueError(f"maps on the scales {', '.join(sorted(scales))} cannot share one")
        if self.figure_size is not None and not min(self.figure_size) > 0:
            raise ValueError(f"a figure of {self.figure_size[0]} × {self.figure_size[1]} inches")
        if self.dpi is not None and self.dpi < 1:
            raise ValueError(f"{self.dpi} pixels per inch")

    @property
    def rows(self) -> int:
        """How many rows the panels fill."""
        return -(-len(self.scenes) // self.columns)
