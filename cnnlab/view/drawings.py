"""What a figure shows, as data: axes with units, values, labels. Shares are 0 … 1, drawn in per cent where so said."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cnnlab.view.scenes import Scene, Scenes

if TYPE_CHECKING:
    from torch import Tensor

Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Series:
    """One line. A y of None or NaN is a gap in it."""

    name: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    style: Literal["line", "dashed", "faint", "points"] = "line"
    low: tuple[float, ...] | None = None
    """Together with `high` a band around the line, such as the interval over repeats."""
    high: tuple[float, ...] | None = None
    colour: int | None = None
    """Series with the same number share a colour; without one, each has its own."""

    def __post_init__(self) -> None:
        for values in (self.y, self.low, self.high):
            if values is not None and len(values) != len(self.x):
                raise ValueError(f"series {self.name!r}: {len(values)} values at {len(self.x)} places")


@dataclass(frozen=True)
class Mark:
    """A place on the x axis that is pointed at."""

    x: float
    label: str


@dataclass(frozen=True)
class Curves:
    """Lines over a common x axis."""

    series: tuple[Series, ...]
    x_label: str
    y_label: str
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    percent: bool = False
    """y is a share, its ticks are written in per cent."""
    marks: tuple[Mark, ...] = ()
    y_range: tuple[float | None, float | None] = (None, None)
    title: str = ""
    """Only needed inside `Panels`."""


@dataclass(frozen=True)
class Panels:
    """Several plots above one another that share their x axis."""

    panels: tuple[Curves, ...]


@dataclass(frozen=True, eq=False)
class Matrix:
    """A grid of numbers, one colour each.

    `values` are written into the cells (while there are few enough to be read), `shades` are what the colours say.
    """

    values: NDArray[np.generic]
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    row_title: str
    column_title: str
    colour_label: str
    shades: NDArray[np.generic] | None = None
    """Without them the colours say the values."""
    percent: bool = False
    """The shades are shares."""
    form: str = ""
    root: bool = False
    """Colours follow the square root of the shade, so that small ones can be told from none."""
    diverging: bool = False
    """Colours are symmetric about 0, which is neutral."""

    def __post_init__(self) -> None:
        shape = (len(self.row_labels), len(self.column_labels))
        if self.values.shape != shape or (self.shades is not None and self.shades.shape != shape):
            raise ValueError(f"a matrix of {self.values.shape} with labels for {shape}")


@dataclass(frozen=True, eq=False)
class Gallery:
    """Small images in rows, uint8 [h, w, 3] or [h, w, 1]; each pixel stays a sharp square."""

    images: tuple[NDArray[np.uint8], ...]
    captions: tuple[str, ...] = ()
    """One under each image; may have two lines."""
    columns: int = 8
    column_titles: tuple[str, ...] = ()
    row_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError("a gallery without images")
        if self.captions and len(self.captions) != len(self.images):
            raise ValueError(f"{len(self.captions)} captions for {len(self.images)} images")
        for image in self.images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
                raise ValueError(f"a gallery's image of {image.dtype} {image.shape}: expected uint8 [h, w, 1 or 3]")


@dataclass(frozen=True)
class Bars:
    """One horizontal bar per label, with a whisker from `low` to `high` where given."""

    labels: tuple[str, ...]
    values: tuple[float | None, ...]
    x_label: str
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    percent: bool = False
    form: str = ""
    mark: Mark | None = None
    """A line across all bars, such as the mean."""

    def __post_init__(self) -> None:
        for values in (self.values, self.low, self.high):
            if values is not None and len(values) != len(self.labels):
                raise ValueError(f"{len(values)} values for {len(self.labels)} bars")


@dataclass(frozen=True)
class Reliability:
    """Accuracy over confidence in bins, and how many images each bin holds."""

    edges: tuple[float, ...]
    """Edges of the bins, one more than there are bins."""
    confidence: tuple[float | None, ...]
    accuracy: tuple[float | None, ...]
    counts: tuple[int, ...]
    error: float
    """ECE, 0 … 1."""

    def __post_init__(self) -> None:
        if not len(self.edges) - 1 == len(self.confidence) == len(self.accuracy) == len(self.counts):
            raise ValueError(f"{len(self.edges)} edges for {len(self.counts)} bins")


@dataclass(frozen=True)
class Span:
    """From `low` to `high` on the x axis; pixel i covers i … i + 1, so that columns 0 to 4 are (0, 5).

    Infinite ends are drawn to the edge. Raises: ValueError where an end stands before its beginning.
    """

    label: str
    low: float
    high: float
    inner: tuple[float, float] | None = None
    """Drawn darker inside, such as the effective field in the theoretical one."""

    def __post_init__(self) -> None:
        for low, high in ((self.low, self.high), self.inner or (0, 0)):
            if not low <= high:
                raise ValueError(f"span {self.label!r}: from {low} to {high}")

    @property
    def size(self) -> float:
        """How long it is, in units of the x axis."""
        return self.high - self.low


@dataclass(frozen=True)
class Spans:
    """One horizontal bar per row, the first on top: a pyramid of receptive fields.

    Raises: ValueError without rows.
    """

    spans: tuple[Span, ...]
    x_label: str
    label: str
    """What the bars are."""
    inner_label: str = ""
    extent: tuple[float, float] | None = None
    """Shaded, such as the image's columns (0, width)."""
    extent_label: str = "image"

    def __post_init__(self) -> None:
        if not self.spans:
            raise ValueError("spans without a row")

    @property
    def limits(self) -> tuple[float, float]:
        """What the axis shows: every finite end and the extent."""
        ends = [end for span in self.spans for end in (span.low, span.high) if math.isfinite(end)]
        ends += self.extent or ()
        least, most = min(ends, default=0.0), max(ends, default=1.0)
        return (least, most) if least < most else (least - 0.5, most + 0.5)


@dataclass(frozen=True, eq=False)
class Lattice:
    """Which cells a kernel reads: a number (the weight, or its index) where it reads, NaN where it does not.

    Raises: ValueError for values that have not two dimensions, and a centre outside.
    """

    values: NDArray[np.generic]
    """[h, w], floats or whole numbers."""
    centre: tuple[int, int] | None = None
    """Row and column of the cell for which it reads."""
    label: str = "weight"
    """What the numbers are."""
    form: str = "g"
    coloured: bool = False
    """Whether each number has a colour of its own; otherwise it is written into its cell, where there is room."""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or 0 in self.values.shape:
            raise ValueError(f"a lattice of {self.values.shape}: expected two dimensions")
        if self.centre is not None and not all(0 <= c < n for c, n in zip(self.centre, self.values.shape, strict=True)):
            raise ValueError(f"a lattice of {self.values.shape} with its centre at {self.centre}")

    @property
    def read(self) -> NDArray[np.bool_]:
        """True at the places that it reads."""
        known: NDArray[np.bool_] = np.logical_not(np.isnan(np.asarray(self.values, dtype=float)))
        return known


@dataclass(frozen=True)
class Cloud:
    """The points of one group.

    Raises: ValueError where x and y are not of equal number.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"cloud {self.name!r}: {len(self.x)} places across and {len(self.y)} upwards")


@dataclass(frozen=True)
class Scatter:
    """Clouds in one plane whose axes have the same unit, drawn to the same scale.

    Raises: ValueError without a point.
    """

    clouds: tuple[Cloud, ...]
    x_label: str
    y_label: str

    def __post_init__(self) -> None:
        if not any(cloud.x for cloud in self.clouds):
            raise ValueError("a scatter without points")


@dataclass(frozen=True, eq=False)
class Surface:
    """Heights over a plane, as from above: bands of one colour, lines of one height; a path may lead through it.

    Raises: ValueError where the heights do not fit the axes, or none of them is above 0.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    heights: NDArray[np.float64]
    """Rows along y, columns along x; infinite and NaN where there is none."""
    x_label: str
    y_label: str
    title: str = ""
    path: tuple[tuple[float, float], ...] = ()
    """Places (x, y) in their order."""
    path_labels: tuple[str, ...] = ()
    """Of each place; an empty one is not written."""

    def __post_init__(self) -> None:
        if self.heights.shape != (len(self.y), len(self.x)):
            raise ValueError(f"a surface of {self.heights.shape} over {len(self.y)} rows and {len(self.x)} columns")
        if not (np.isfinite(self.heights) & (self.heights > 0)).any():
            raise ValueError("a surface without a height above 0")
        if self.path_labels and len(self.path_labels) != len(self.path):
            raise ValueError(f"{len(self.path_labels)} labels for a path of {len(self.path)} places")


@dataclass(frozen=True)
class Surfaces:
    """Surfaces beside one another, their heights in the same colours, which follow the logarithm."""

    surfaces: tuple[Surface, ...]
    label: str
    """What the heights are, with their unit."""


@dataclass(frozen=True)
class Relief:
    """A surface as a body, seen from a side; heights follow the logarithm."""

    surface: Surface
    label: str
    turn: float = 0.0
    """Degrees by which it is turned around its upright axis."""
    limits: tuple[float, float] | None = None
    """Lowest and highest height of the colours and of the upright axis; without them those of the surface."""


@dataclass(frozen=True)
class ParallelAxis:
    """An upright axis of `Parallel`.

    Raises: ValueError where it ends below its beginning.
    """

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    """Places and what is written there."""

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"axis {self.label!r}: from {self.low} to {self.high}")


@dataclass(frozen=True)
class Parallel:
    """Parallel coordinates: a line for each thing, across an upright axis for each of its numbers.

    The last axis gives the colours, by `label`; later lines lie on top. Raises: ValueError for a line of another length
    than there are axes.
    """

    axes: tuple[ParallelAxis, ...]
    lines: tuple[tuple[float, ...], ...]
    label: str

    def __post_init__(self) -> None:
        for line in self.lines:
            if len(line) != len(self.axes):
                raise ValueError(f"a line of {len(line)} numbers across {len(self.axes)} axes")


Drawing = (
    Curves
    | Panels
    | Matrix
    | Gallery
    | Bars
    | Reliability
    | Scene
    | Scenes
    | Spans
    | Lattice
    | Scatter
    | Surfaces
    | Parallel
    | Relief
)


def tile(image: "Tensor") -> NDArray[np.uint8]:
    """A uint8 image [c, h, w] as [h, w, 3], or [h, w, 1] of its first channel when it has fewer than three."""
    channels = 3 if image.shape[0] >= 3 else 1
    return np.ascontiguousarray(image[:channels].permute(1, 2, 0).cpu().numpy())


def tiles(images: "Iterable[Tensor]") -> tuple[NDArray[np.uint8], ...]:
    """`tile` of each."""
    return tuple(tile(image) for image in images)
