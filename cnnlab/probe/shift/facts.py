"""What was measured of networks whose images move."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnnlab.stats.claim import Claim
from cnnlab.stats.confidence import Interval, MeanInterval
from cnnlab.view.json import plain


@dataclass(frozen=True)
class AtShift:
    """All images after one shift."""

    down: int
    right: int
    """In pixels."""
    accuracy: float
    accuracy_interval: Interval
    flips: float
    """The share of images whose answer is another one than where they lay."""
    flips_interval: Interval


@dataclass(frozen=True)
class ShiftedNetwork:
    """One network, or one with the same weights that does something otherwise. Shares are 0 … 1."""

    name: str
    altered: str
    """What it does otherwise, in words; empty for the network as it is."""
    changes: tuple[str, ...]
    """The aspects in which it does, such as `pool`."""
    kind: str
    """convolutional, locally connected or dense: whether its weights are the same at all places."""
    shown_moved: bool
    """Whether its training moved its images."""
    parameters: int
    shifts: tuple[AtShift, ...]
    by_pixels: Mapping[int, MeanInterval]
    """Accuracy by the shift, both axes together; negative ones up and to the left."""
    flips: Mapping[int, MeanInterval]
    """Answers that change, likewise."""
    consistency: MeanInterval
    """The share of pairs of shifts at which an image has the same answer."""
    always_right: float
    """The share of images that are right after every shift."""
    always_right_interval: Interval

    @property
    def label(self) -> str:
        """The name with what is otherwise."""
        return f"{self.name}, {self.altered}" if self.altered else self.name

    @property
    def accuracy(self) -> float:
        """Where the images lay."""
        return self.by_pixels[0].mean


@dataclass(frozen=True)
class ShiftFacts:
    """Networks on the same images."""

    networks: tuple[ShiftedNetwork, ...]
    images: str
    count: int
    most: int
    """Pixels of the largest shift."""
    border: str
    """What came in at the border, in words."""
    drops: Mapping[str, MeanInterval]
    """By label, how much accuracy is lost by the largest shift, over its four directions."""
    claims: tuple[Claim, ...]


def shift_document(facts: ShiftFacts) -> dict[str, Any]:
    """What `--json` prints."""
    document: dict[str, Any] = {"title": "Shifts of the image"}
    document |= {name: plain(value) for name, value in vars(facts).items() if name not in ("networks", "claims")}
    document["networks"] = [plain(one) | {"label": one.label} for one in facts.networks]
    document["claims"] = [plain(one.as_json()) for one in facts.claims]
    return document
