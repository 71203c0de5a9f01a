"""What was found of the scores that tell images of the classes from others."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.rejection.kept import Rejection
from cnnlab.stats.confidence import Interval, wilson_interval


@dataclass(frozen=True)
class Told:
    """How well one score tells one group of outsiders from the accepted images."""

    score: str
    outsiders: str
    n: int
    """How many outsiders there are."""
    auroc: float
    auroc_interval: Interval
    false_accepts: int
    """Outsiders that get in at the score's own threshold."""
    false_accept_interval: Interval

    @property
    def false_accept_rate(self) -> float:
        """Share of the outsiders that get in, 0 … 1."""
        return self.false_accepts / self.n

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "score": self.score,
            "outsiders": self.outsiders,
            "n": self.n,
            "auroc": self.auroc,
            "auroc_ci95": [self.auroc_interval.low, self.auroc_interval.high],
            "false_accept_rate": self.false_accept_rate,
            "false_accept_ci95": [self.false_accept_interval.low, self.false_accept_interval.high],
        }


@dataclass(frozen=True)
class Unseen:
    """How many images of the classes are accepted that played no part in making a rule."""

    split: str
    n: int
    accepted: int

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the share that is accepted."""
        return wilson_interval(self.accepted, self.n)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        ends = [self.interval.low, self.interval.high]
        return {"split": self.split, "n": self.n, "accepted_rate": self.accepted / self.n, "accepted_ci95": ends}


@dataclass(frozen=True, eq=False)
class Admitted:
    """An outsider that gets in."""

    image: NDArray[np.uint8]
    """[h, w, c]."""
    name: str
    """What it is."""
    answer: str
    probability: float
    score: float


@dataclass(frozen=True, eq=False)
class Rejecting:
    """The chosen rule, and what all scores are worth."""

    model: str
    weights: str
    split: str
    accepted: int
    """How many images the threshold comes from."""
    train: int
    """How many training images the statistics come from."""
    rejection: Rejection
    label: str
    """The chosen score, as the field writes it."""
    chosen_by: str
    """How the score was chosen, in a sentence."""
    choosing: dict[str, float]
    """Each score's AUROC on the images that it was chosen by; none where it was asked for."""
    told: tuple[Told, ...]
    ours: Tensor
    """The chosen score of the accepted images."""
    theirs: dict[str, Tensor]
    """Of each group of outsiders."""
    admitted: tuple[Admitted, ...]
    """Outsiders that get in, those with the largest scores first."""
    labels: dict[str, str]
    """Of every score, as the field writes it."""
    unseen: Unseen | None
    """Of other images of the part that the threshold comes from; None where it has no more."""
    left_out: tuple[str, ...] = ()
    """A sentence for each group that lost images, since they are of the network's classes."""

    @property
    def of_chosen(self) -> tuple[Told, ...]:
        """What the chosen score is worth."""
        return tuple(one for one in self.told if one.score == self.rejection.score.name)

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints; shares are 0 … 1."""
        return {
            "model": self.model,
            "split": self.split,
            "accepted": self.accepted,
            "train": self.train,
            "score": self.rejection.score.as_data(),
            "layer": self.rejection.layer,
            "threshold": self.rejection.threshold,
            "share": self.rejection.share,
            "unseen": None if self.unseen is None else self.unseen.as_json(),
            "chosen_by": self.chosen_by,
            "choosing_auroc": self.choosing or None,
            "left_out": list(self.left_out),
            "outsiders": [one.as_json() for one in self.told],
        }
