"""Several networks on the same images: where each is right, which differences may be chance, where they differ most."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cnnlab.core.arithmetic import Shape
from cnnlab.stats.classification import Classification, classify
from cnnlab.stats.paired import PairedCounts, holm, paired_counts

MOST_DISPUTED = 24
"""Images on which the networks differ most, at most."""

PairsOf = Literal["all", "first"]
"""Every two networks, or each with the first."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network costs for one image."""

    parameters: int
    macs: int | None
    """Multiply-accumulates; None where the network cannot be followed."""
    macs_at_least: bool = False
    """Whether there are some that cannot be counted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contestant:
    """One network, and its answers to the images."""

    name: str
    weights: str
    """What its weights are, in words."""
    trained: bool
    shape: Shape
    """(channels, height, width) of its images, in pixels."""
    preparation: str
    """What becomes of an image for it, in words."""
    cost: Cost
    logits: Float[Tensor, "n k"]
    """In the order of the common classes."""
    learned: int | None = 0
    """How many of the images it has learned from, where it is a run's; None where that is not known."""
    test_evaluations: int = 0
    """How often the test part of its run has been opened, this time included; 0 for other parts."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """One network with its measures."""

    contestant: Contestant
    facts: Classification
    answers: Int64[Tensor, "n"]
    """Of each image the likeliest class."""
    p_truth: Float[Tensor, "n"]
    """Of each image the probability given to the right class, 0 … 1."""

    @property
    def name(self) -> str:
        """Of the network."""
        return self.contestant.name


@dataclass(frozen=True)
class Pair:
    """Two of the networks, by their numbers."""

    first: int
    second: int
    counts: PairedCounts
    same_answers: float
    """Share of the images to which both give the same answer, right or wrong."""
    p_adjusted: float
    """McNemar's exact test after Holm's correction for all pairs; the test alone for a single pair."""

    @property
    def beyond_chance(self) -> bool:
        """Whether the difference is more than the choice of images explains, at 5 %."""
        return self.p_adjusted < 0.05


@dataclass(frozen=True)
class ClassRow:
    """One class: which share of its images each network finds."""

    name: str
    n: int
    recalls: tuple[float, ...]
    """Of each network, 0 … 1; NaN for a class without images."""
    against_first: tuple[PairedCounts | None, ...]
    """Of each further network with the first, on the images of the class; None where there are none."""


@dataclass(frozen=True)
class Disputed:
    """An image on which the networks differ, by its place in the set."""

    index: int
    truth: int
    answers: tuple[int, ...]
    p_truth: tuple[float, ...]
    """The probability that each network gives to the right class, 0 … 1."""

    @property
    def spread(self) -> float:
        """The largest of these less the smallest."""
        return max(self.p_truth) - min(self.p_truth)


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Networks on the same images."""

    split: str
    """The part, or `all` of data that has none."""
    classes: tuple[str, ...]
    labels: Int64[Tensor, "n"]
    networks: tuple[Scored, ...]
    pairs: tuple[Pair, ...]
    per_class: tuple[ClassRow, ...]
    disputed: tuple[Disputed, ...]
    """The images on which they differ most, the largest spread first."""

    @property
    def n(self) -> int:
        """How many images."""
        return len(self.labels)


def set_side_by_side(
    contestants: Sequence[Contestant],
    labels: Int64[Tensor, "n"],
    *,
    classes: Sequence[str],
    split: str,
    pairs: PairsOf = "all",
) -> SideBySide:
    """Score networks on the same images, and set each two side by side.

    Arguments:
        contestants: two or more, with their logits of the same images in the same order.
        labels: the class of each image.
        classes: names of the classes, in the order of the logits.
        split: which images they are, in a word.
        pairs: `all`, or `first` for each with the first.

    Returns:
        Measures of each, pairs with test and interval, recalls class by class, and the images that set them apart.

    Raises:
        WorkError: where a logit is NaN or infinite.
    """
    scored = tuple(_scored(one, labels, classes) for one in contestants)
    right = [one.answers == labels for one in scored]
    numbers = [(0, other) for other in range(1, len(scored))]
    if pairs == "all":
        numbers = list(combinations(range(len(scored)), 2))
    counts = [paired_counts(right[first], right[second]) for first, second in numbers]
    adjusted = holm([one.p for one in counts])
    return SideBySide(
        split=split,
        classes=tuple(classes),
        labels=labels,
        networks=scored,
        pairs=tuple(
            Pair(first, second, found, _share(scored[first].answers == scored[second].answers), p)
            for (first, second), found, p in zip(numbers, counts, adjusted, strict=True)
        ),
        per_class=tuple(_class_row(number, name, labels, right) for number, name in enumerate(classes)),
        disputed=_disputed(scored, labels),
    )


def _scored(contestant: Contestant, labels: Tensor, classes: Sequence[str]) -> Scored:
    facts = classify(contestant.logits, labels, classes=classes)
    probabilities = contestant.logits.double().softmax(1)
    return Scored(
        contestant=contestant,
        facts=facts,
        answers=contestant.logits.argmax(1),
        p_truth=probabilities.gather(1, labels[:, None])[:, 0],
    )


def _share(found: Tensor) -> float:
    return float(found.double().mean())


def _class_row(number: int, name: str, labels: Tensor, right: Sequence[Tensor]) -> ClassRow:
    chosen = labels == number
    n = int(chosen.sum())
    of_class = [one[chosen] for one in right]
    against = tuple(paired_counts(of_class[0], other) if n else None for other in of_class[1:])
    return ClassRow(name, n, tuple(_share(one) for one in of_class), against)


def _disputed(scored: Sequence[Scored], labels: Tensor) -> tuple[Disputed, ...]:
    """The images with the largest spread of the probability of the truth; those on which all agree are left out."""
    sure = torch.stack([one.p_truth for one in scored])
    spread = sure.amax(0) - sure.amin(0)
    order = spread.argsort(descending=True, stable=True)[:MOST_DISPUTED].tolist()
    return tuple(
        Disputed(
            place,
            int(labels[place]),
            tuple(int(one.answers[place]) for one in scored),
            tuple(float(one.p_truth[place]) for one in scored),
        )
        for place in order
        if float(spread[place]) > 0
    )
