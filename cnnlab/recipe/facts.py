"""What an ablation found: each training, the variants over their seeds, and the paired differences."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from cnnlab.runs.record import Status
from cnnlab.stats.claim import Claim
from cnnlab.stats.confidence import MeanInterval, mean_interval


@dataclass(frozen=True)
class Repeat:
    """One training. Accuracies are 0 … 1; None where they were not measured."""

    run: str
    seed: int
    status: Status
    accuracy: float | None
    """Of the best epoch on the validation part."""
    last_accuracy: float | None
    """Of the last epoch on the validation part."""
    clean_accuracy: float | None
    """Of the last epoch, on training images without augmentation."""
    epochs_to_threshold: int | None
    """None where it never came there."""
    seconds_to_threshold: float | None
    """Of training steps alone."""
    train_seconds: float
    parameters: int
    diagnosis: str | None
    curve: tuple[float | None, ...]
    """Validation accuracy after each epoch."""

    @property
    def gap(self) -> float | None:
        """From training to validation after the last epoch: what is known by heart alone."""
        if self.clean_accuracy is None or self.last_accuracy is None:
            return None
        return self.clean_accuracy - self.last_accuracy


ROUNDING = 1e-9
"""Deviations below this are those of floating point."""

LEARNED = 0.1
"""Of the way from chance to 100 %: a network that has not come so far has learned too little to compare."""

Measure = Callable[[Repeat], float | None]


@dataclass(frozen=True)
class VariantFacts:
    """A variant over its seeds."""

    label: str
    repeats: tuple[Repeat, ...]
    """Those that are there, in the order of their seeds."""

    def mean(self, measure: Measure) -> MeanInterval | None:
        """The mean of a measure over the repeats that have it, with Student's 95 % interval."""
        values = [float(value) for repeat in self.repeats if (value := measure(repeat)) is not None]
        return mean_interval(values) if values else None

    @property
    def accuracy(self) -> MeanInterval | None:
        """Of the best epochs."""
        return self.mean(lambda one: one.accuracy)

    @property
    def reached(self) -> int:
        """How many of the repeats came to the threshold."""
        return sum(one.epochs_to_threshold is not None for one in self.repeats)

    @property
    def parameters(self) -> int | None:
        """Of the network."""
        return self.repeats[0].parameters if self.repeats else None

    @property
    def diagnosis(self) -> str | None:
        """The verdict of most repeats, with how many say so where not all do; an odd end goes before it."""
        said = Counter(one.diagnosis or one.status for one in self.repeats if one.diagnosis or one.status != "finished")
        if not said:
            return None
        (verdict, count), *_ = said.most_common(1)
        return verdict if count == len(self.repeats) else f"{verdict} ({count} of {len(self.repeats)})"

    @property
    def course(self) -> list[tuple[float, float, float]]:
        """Mean, lowest and highest accuracy after each epoch that all repeats have."""
        found = []
        for values in zip(*(one.curve for one in self.repeats), strict=False):
            known = [value for value in values if value is not None]
            if len(known) < len(values) or not known:
                break
            found.append((sum(known) / len(known), min(known), max(known)))
        return found


def paired(ours: VariantFacts, theirs: VariantFacts, measure: Measure) -> MeanInterval | None:
    """The mean of `ours` − `theirs` over the seeds that both have, with Student's 95 % interval.

    What a seed has in common for both, such as the split into training and validation, drops out.

    Arguments:
        ours, theirs: two variants.
        measure: of a repeat; a seed without it is left out.

    Returns:
        The mean and its interval, which is None where all differences are the same number: so few images tell no
        spread. None where no seed has the measure in both.
    """
    other = {one.seed: measure(one) for one in theirs.repeats}
    values = []
    for one in ours.repeats:
        mine, its = measure(one), other.get(one.seed)
        if mine is not None and its is not None and isfinite(mine - its):
            values.append(float(mine - its))
    return _spread_of(values)


def epochs_saved(without: VariantFacts, with_it: VariantFacts) -> MeanInterval | None:
    """How many epochs fewer a variant takes to the threshold, over the seeds that both have.

    Arguments:
        without, with_it: two variants. One that never comes there counts as the epoch after its last, the least that
            it can be.

    Returns:
        The mean and its interval; None where no seed comes there with any of the two.
    """
    other = {one.seed: one for one in without.repeats}
    values = []
    for one in with_it.repeats:
        its = other.get(one.seed)
        if its is not None and (one.epochs_to_threshold or its.epochs_to_threshold):
            never = max(len(one.curve), len(its.curve)) + 1
            values.append(float((its.epochs_to_threshold or never) - (one.epochs_to_threshold or never)))
    return _spread_of(values)


def _spread_of(values: Sequence[float]) -> MeanInterval | None:
    """The mean with its interval, but for rounding alone there is none."""
    if not values:
        return None
    mean = mean_interval(values)
    return replace(mean, interval=None) if mean.deviation is not None and mean.deviation < ROUNDING else mean


@dataclass(frozen=True)
class Ablation:
    """Every variant, as far as it is trained."""

    name: str
    """Of the config."""
    data: str
    train: int
    """Images; 0 where nothing is trained yet."""
    validation: int
    variants: tuple[VariantFacts, ...]
    baseline: str
    """The label of the variant that the others are compared with."""
    threshold: float
    """A validation accuracy, 0 … 1."""
    repeats: int
    """As many as were asked for."""
    chance: float = 0.0
    """The accuracy of a guess, 0 … 1."""
    claims: tuple[Claim, ...] = ()

    def learned(self, *variants: VariantFacts) -> bool:
        """Whether one of the variants is clearly better than a guess."""
        least = self.chance + LEARNED * (1 - self.chance)
        return any(one.accuracy is not None and one.accuracy.mean >= least for one in variants)

    @property
    def trained(self) -> int:
        """Trainings that are there."""
        return sum(len(one.repeats) for one in self.variants)

    @property
    def complete(self) -> bool:
        """Whether all are there."""
        return self.trained == self.repeats * len(self.variants)

    def variant(self, label: str) -> VariantFacts:
        """The variant of that label.

        Raises: KeyError where there is none.
        """
        for one in self.variants:
            if one.label == label:
                return one
        raise KeyError(label)

    def difference(self, label: str, measure: Measure = lambda one: one.accuracy) -> MeanInterval | None:
        """A variant less the baseline, over the seeds; None for the baseline itself."""
        if label == self.baseline:
            return None
        return paired(self.variant(label), self.variant(self.baseline), measure)

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "title": f"Ablation of {self.name}",
            "config": self.name,
            "data": self.data,
            "train": self.train,
            "validation": self.validation,
            "baseline": self.baseline,
            "threshold": self.threshold,
            "repeats": self.repeats,
            "complete": self.complete,
            "variants": [self._variant_json(one) for one in self.variants],
            "claims": [claim.as_json() for claim in self.claims],
        }

    def _variant_json(self, one: VariantFacts) -> dict[str, Any]:
        return {
            "variant": one.label,
            "accuracy": mean_json(one.accuracy),
            "difference": mean_json(self.difference(one.label)),
            "gap": mean_json(one.mean(lambda repeat: repeat.gap)),
            "gap_difference": mean_json(self.difference(one.label, lambda repeat: repeat.gap)),
            "epochs_to_threshold": mean_json(one.mean(lambda repeat: repeat.epochs_to_threshold)),
            "seconds_to_threshold": mean_json(one.mean(lambda repeat: repeat.seconds_to_threshold)),
            "reached": one.reached,
            "parameters": one.parameters,
            "diagnosis": one.diagnosis,
            "trainings": [_repeat_json(repeat) for repeat in one.repeats],
        }


def mean_json(mean: MeanInterval | None) -> dict[str, Any] | None:
    """Mean, deviation, interval and number, as JSON has them."""
    if mean is None:
        return None
    ends = None if mean.interval is None else [mean.interval.low, mean.interval.high]
    return {"mean": mean.mean, "deviation": mean.deviation, "ci95": ends, "n": mean.n}


def _repeat_json(one: Repeat) -> dict[str, Any]:
    return {**vars(one), "gap": one.gap, "curve": list(one.curve)}


def first_at(curve: Sequence[float | None], threshold: float) -> int | None:
    """The first epoch, from 1, whose accuracy is at least the threshold; None where there is none.

    Example:
        >>> first_at([0.4, None, 0.7, 0.6], 0.7)
        3
    """
    return next((place for place, one in enumerate(curve, 1) if one is not None and one >= threshold), None)
