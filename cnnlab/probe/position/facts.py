"""What layers tell of places."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnnlab.stats.claim import Claim
from cnnlab.stats.confidence import MeanInterval
from cnnlab.view.json import plain


@dataclass(frozen=True)
class PositionLayer:
    """One layer: R² of a linear read-out, 1 where places are told exactly, 0 or below where nothing is."""

    name: str
    output: str
    """What it puts out."""
    told: Mapping[str, MeanInterval]
    """By alteration."""


@dataclass(frozen=True)
class PositionFacts:
    """What the layers of a network tell of places."""

    name: str
    weights: str
    count: int
    """Images of noise, and of patterns."""
    size: tuple[int, int]
    alterations: Mapping[str, str]
    """Name and words of each way in which the network was run."""
    maps: tuple[PositionLayer, ...]
    """Whether a cell of the map tells where it lies, of images of noise that has no place."""
    answers: tuple[PositionLayer, ...]
    """Whether what has no rows and columns any more tells where in an empty image a pattern lies."""
    places: int
    """How many places the patterns had."""
    claims: tuple[Claim, ...]


def position_document(facts: PositionFacts) -> dict[str, Any]:
    """What `--json` prints."""
    document: dict[str, Any] = {"title": "Position"}
    document |= {name: plain(value) for name, value in vars(facts).items() if name != "claims"}
    return document | {"claims": [plain(one.as_json()) for one in facts.claims]}
