"""Blocks that a page lets its reader switch: images by choice, and a table whose cells open images.

Where nothing can be switched (a terminal, a log), their words say what they hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cnnlab.view.drawings import Relief
from cnnlab.view.scenes import Scene


@dataclass(frozen=True)
class Choice:
    """One thing that is chosen, such as the method, and what there is to choose from."""

    title: str
    options: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError(f"the choice {self.title!r} has no options")


@dataclass(frozen=True, eq=False)
class Shot:
    """An image that is shown for one option of each choice."""

    options: tuple[int | None, ...]
    """The number of the option in each choice, in order; None for a choice that makes no difference to it."""
    scene: Scene
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Album:
    """Images of which one is seen at a time.

    A shot stands for one option of each choice.

    Raises: ValueError for a shot that does not choose one option of each choice, and for two in the same place.
    """

    name: str
    title: str
    choices: tuple[Choice, ...]
    shots: tuple[Shot, ...]
    caption: str = ""

    def __post_init__(self) -> None:
        sizes = tuple(len(choice.options) for choice in self.choices)
        places = [shot.options for shot in self.shots]
        for place in places:
            fits = (i is None or 0 <= i < n for i, n in zip(place, sizes, strict=False))
            if len(place) != len(sizes) or not all(fits):
                raise ValueError(f"album {self.name!r}: a shot at {place}, the choices have {sizes} options")
        if len(set(places)) != len(places):
            raise ValueError(f"album {self.name!r}: two shots in the same place")


@dataclass(frozen=True, eq=False)
class CellAlbum:
    """Counts in a grid; a cell opens images of what it counts.

    Raises: ValueError for a grid that does not fit its labels, and for images of a cell that is not there.
    """

    name: str
    title: str
    counts: NDArray[np.integer]
    labels: tuple[str, ...]
    row_title: str
    column_title: str
    images: Mapping[tuple[int, int], tuple[NDArray[np.uint8], ...]]
    """Images by (row, column), uint8 [h, w, 1 or 3]."""
    captions: Mapping[tuple[int, int], tuple[str, ...]]
    caption: str = ""

    def __post_init__(self) -> None:
        size = len(self.labels)
        if self.counts.shape != (size, size):
            raise ValueError(f"{self.name!r}: counts of {self.counts.shape} for {size} labels")
        for row, column in self.images:
            if not (0 <= row < size and 0 <= column < size):
                raise ValueError(f"{self.name!r}: images for the cell {row}, {column} of {size} × {size}")


@dataclass(frozen=True, eq=False)
class Turntable:
    """A surface that turns around its upright axis.

    Raises: ValueError for fewer than two views.
    """

    name: str
    title: str
    relief: Relief
    views: int = 24
    """From how many sides it is drawn, evenly around it."""
    caption: str = ""

    def __post_init__(self) -> None:
        if self.views < 2:
            raise ValueError(f"the turntable {self.name!r} has {self.views} views; it takes two to turn")

    @property
    def reliefs(self) -> tuple[Relief, ...]:
        """The views in their order."""
        return tuple(replace(self.relief, turn=360 * place / self.views) for place in range(self.views))
