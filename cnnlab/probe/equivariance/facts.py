"""What was measured of a network's equivariance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnnlab.stats.claim import Claim
from cnnlab.stats.confidence import MeanInterval
from cnnlab.view.json import plain

AXES = ("rows", "columns")
"""Of an image: a shift along the first is one down, along the second one to the right."""


@dataclass(frozen=True)
class Spoiled:
    """The cells that a shift with zeros coming in spoils."""

    axis: int
    pixels: int
    cells: tuple[int, ...]
    """Rows (axis 0) or columns (axis 1) of the map, from 0, that differ from the moved map."""
    interior: int
    """Rows or columns that see nothing but what they saw before, by the receptive fields."""
    error: float | None
    """Mean relative error over those; None where there are none."""
    whole: float | None
    """The same over all that have been in the map before; None where nothing in the map varies."""


@dataclass(frozen=True)
class LayerFacts:
    """One layer. Errors are relative: 0 where the map moves as the image does, about √2 where it does not at all."""

    name: str
    kind: str
    output: tuple[int, ...]
    """(channels, rows, columns) of a map; empty of what is none."""
    stride: tuple[float | None, float | None]
    """Pixels from one cell to the next, along rows and along columns."""
    tokens: str
    """How the map is read where the output is a row of tokens."""
    why: str
    """Why the layer has no map."""
    spoiled: tuple[Spoiled, ...]
    moved: Mapping[str, Mapping[float, MeanInterval]]
    """By alteration and shift in pixels, both axes together: what leaves on one side comes in on the other; nothing of
    maps whose cells do not go around the image. Of what is no map the change divided by the spread over images."""
    shapes: Mapping[str, MeanInterval]
    """By turn or enlargement of a pattern in the middle, with circular padding."""

    @property
    def is_map(self) -> bool:
        """Whether its output is a map of the image."""
        return not self.why

    @property
    def is_still(self) -> bool:
        """Whether no movement changed anything, turns and half pixels included: the map is the same everywhere."""
        errors = [one.mean for by_shift in self.moved.values() for one in by_shift.values()]
        errors += [one.mean for one in self.shapes.values()] + [one.whole for one in self.spoiled if one.whole]
        return not any(errors) and not any(one.cells for one in self.spoiled)

    @property
    def interior(self) -> float | None:
        """The largest mean error away from the border; None where the border is everywhere, or no shift fits."""
        return max((one.error for one in self.spoiled if one.error is not None), default=None)


@dataclass(frozen=True)
class EquivarianceFacts:
    """What was measured of all layers."""

    name: str
    weights: str
    images: str
    """What the images were."""
    count: int
    size: tuple[int, int]
    """Of the images, in pixels."""
    coarsest: int
    """The largest stride, in pixels."""
    shifts: tuple[int, ...]
    """Whole pixels."""
    layers: tuple[LayerFacts, ...]
    alterations: Mapping[str, str]
    """Name and words of each way in which the network was run."""
    changed: Mapping[str, int]
    """How many operations pad, subsample or are activations."""
    claims: tuple[Claim, ...]

    @property
    def maps(self) -> tuple[LayerFacts, ...]:
        """The layers that put out a map of the image."""
        return tuple(one for one in self.layers if one.is_map)

    @property
    def vectors(self) -> tuple[LayerFacts, ...]:
        """The others, as far as they were measured."""
        return tuple(one for one in self.layers if not one.is_map and one.moved)


def equivariance_document(facts: EquivarianceFacts) -> dict[str, Any]:
    """What `--json` prints."""
    document: dict[str, Any] = {"title": "Equivariance"}
    document |= {name: plain(value) for name, value in vars(facts).items() if name not in ("layers", "claims")}
    document["layers"] = [plain(one) | {"interior": plain(one.interior)} for one in facts.layers]
    document["claims"] = [plain(one.as_json()) for one in facts.claims]
    return document
