"""What a search for label errors has found."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jaxtyping import Bool, Float, Float64
from torch import Tensor

from cnnlab.data.dataset import Dataset
from cnnlab.stats.claim import Claim, Finding
from cnnlab.stats.confidence import Interval
from cnnlab.stats.confident_learning import LabelErrors, Ranking, label_quality
from cnnlab.stats.finding import Search


@dataclass(frozen=True)
class FoldFacts:
    """A fold and the network that has not learned from it."""

    number: int
    """From 1."""
    run: str
    images: int
    accuracy: float
    """The share of the fold's images whose label is the network's answer, 0 … 1; wrong labels lower it."""


@dataclass(frozen=True)
class Candidate:
    """A label that is likely wrong."""

    rank: int
    """From 1, the likeliest error first."""
    row: int
    """Of the image in what was searched."""
    index: int
    """Of the image in the training part as it is read, training and validation images together."""
    file: str
    """Empty where the data set has no files."""
    given: str
    likely: str
    self_confidence: float
    """The probability of the given label."""
    likely_probability: float
    margin: float
    """The normalised margin: (probability of the label − largest of the others + 1) / 2."""
    wrong: bool | None
    """Whether the label was swapped on purpose; None where none was."""


@dataclass(frozen=True, eq=False)
class LabelErrorFacts:
    """The candidates, and what they rest on."""

    name: str
    """Of the config."""
    images: Dataset
    """The training part, training and validation images together, with the labels in question."""
    probabilities: Float[Tensor, "n k"]
    """Of each image, by a network that has not learned from it."""
    errors: LabelErrors
    ranking: Ranking
    folds: tuple[FoldFacts, ...]
    """None where the probabilities came from a file."""
    epochs: int
    """Of each training; 0 where the probabilities came from a file."""
    source: str
    """The file of the probabilities, or empty."""
    wrong: Bool[Tensor, "n"] | None = None
    """Which labels were swapped on purpose, where some were …"""
    searches: tuple[tuple[str, Search], ...] = ()
    """… and how well they are found, by the order."""
    cautions: tuple[str, ...] = ()

    @property
    def accuracy(self) -> float:
        """The share of labels that are the networks' answers, 0 … 1."""
        return float((self.probabilities.argmax(1) == self.images.labels).double().mean())

    @cached_property
    def confidences(self) -> Float64[Tensor, "n"]:
        """The probability of each label."""
        return label_quality(self.images.labels, self.probabilities, "self_confidence")

    @cached_property
    def margins(self) -> Float64[Tensor, "n"]:
        """The normalised margin of each label."""
        return label_quality(self.images.labels, self.probabilities, "normalized_margin")

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is said of confident learning, where it is known which labels are wrong."""
        if self.wrong is None or not self.searches:
            return ()
        found = dict(self.searches)[self.ranking]
        share = float(self.wrong.double().mean())
        interval = found.precision_interval
        finding = Finding.OPEN
        if interval is not None and interval.low > share:
            finding = Finding.SUPPORTED
        elif interval is not None and interval.high < share:
            finding = Finding.CONTRADICTED
        return (
            Claim(
                "Labels that confident learning puts in question are wrong more often than others",
                "Northcutt et al. 2021",
                f"the share of them that was swapped on purpose; of all labels {100 * share:.2g} %",
                finding,
                found.precision,
                interval,
                ".1%",
            ),
        )

    def candidates(self, first: int | None = None) -> Iterator[Candidate]:
        """The labels in question, the likeliest error first; the `first` so many."""
        numbers, classes = self.images.numbers, self.images.classes
        pairs = zip(self.errors.indices.tolist(), self.errors.likely.tolist(), strict=True)
        for rank, (row, likely) in enumerate(pairs, 1):
            if first is not None and rank > first:
                return
            yield Candidate(
                rank=rank,
                row=row,
                index=row if numbers is None else int(numbers[row]),
                file="" if self.images.paths is None else self.images.paths[row],
                given=classes[int(self.images.labels[row])],
                likely=classes[likely],
                self_confidence=float(self.confidences[row]),
                likely_probability=float(self.probabilities[row, likely]),
                margin=float(self.margins[row]),
                wrong=None if self.wrong is None else bool(self.wrong[row]),
            )

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        classes = self.images.classes
        return {
            "title": f"Label errors of {self.name}",
            "data": self.images.name,
            "images": len(self.images),
            "classes": list(classes),
            "folds": [vars(fold) for fold in self.folds],
            "epochs": self.epochs,
            "probabilities": self.source or None,
            "accuracy": self.accuracy,
            "ranking": self.ranking,
            "thresholds": [
                value if count else None
                for value, count in zip(self.errors.thresholds.tolist(), self.errors.counts.tolist(), strict=True)
            ],
            "joint": self.errors.joint.tolist(),
            "calibrated": self.errors.calibrated.tolist(),
            "estimated": self.errors.estimated,
            "candidates": [{k: v for k, v in vars(one).items() if k != "row"} for one in self.candidates()],
            "swapped": {name: _search_json(found) for name, found in self.searches} or None,
            "cautions": list(self.cautions),
            "claims": [claim.as_json() for claim in self.claims],
        }


def _search_json(found: Search) -> dict[str, Any]:
    return {
        "there": found.there,
        "named": found.chosen,
        "right": found.right,
        "precision": found.precision,
        "precision_ci95": _ends(found.precision_interval),
        "recall": found.recall,
        "recall_ci95": _ends(found.recall_interval),
        "average_precision": found.average_precision,
        "average_precision_ci95": _ends(found.average_precision_interval),
    }


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
