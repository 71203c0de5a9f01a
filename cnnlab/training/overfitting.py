"""What the curves of a training say: under-fitted, good, or over-fitted since epoch k.

Under-fitted: accuracy on training and on validation images both low and close. Over-fitted: training accuracy goes on
rising while validation accuracy has passed its peak, or the gap between them is wide. Good: both high, small gap.

Curves are noisy, so a difference counts only above the noise: the larger of what Wilson's interval leaves open about
the validation accuracy (all of 20 images right is 84 % to 100 %), and the wobble from epoch to epoch that a large
learning rate makes. A median over three epochs removes single spikes before a peak is sought. Unclear: there are so few
validation images that even a gap called over-fitted would lie within the interval.

Noise of a measured curve: a smoother, the peak under it, and how much single values wobble.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from cnnlab.stats.confidence import Interval, wilson_interval

Verdict = Literal["under-fitted", "good", "over-fitted", "unclear"]

FALL = 0.01
"""Validation accuracy lost since its peak that counts, if above the noise: less changes no choice of a model."""
FALL_GAP = 0.05
"""Least gap of accuracy with that fall: without one, the fall is instability and not memorised images."""
LOSS_RISE = 1.10
"""Validation loss against its minimum: it turns before accuracy does, as the network becomes too sure of its mistakes.
A tenth is more than it moves from epoch to epoch once the learning rate is small."""
LOSS_GAP = 0.10
"""Least gap of loss with that rise: a network at 100 % and 95 % may be too sure without being worse."""
WIDE_GAP = 0.15
"""A gap that is called over-fitted even while validation accuracy holds. The chapter's recipe ends at 5 points and its
exercise of an over-fitted network at 21; between them there is no line in nature, and this one is in the middle."""
ENOUGH = 0.80
"""Training accuracy under which a network is called under-fitted. What is low depends on the task: pass another."""
RISING = 0.005
"""Validation accuracy gained over the last fifth of the epochs (at least 2) from which more epochs are worth a try."""
NOISES = 2.0
"""How many standard errors a gap must exceed: about 95 % sure."""
FALL_NOISES = 3.0
"""Noises of a fall, which starts from the highest of many values: a peak stands out by chance already."""


@dataclass(frozen=True)
class LearningCurves:
    """One entry per finished epoch, shares 0 … 1; None where an epoch was not measured."""

    epochs: Sequence[int]
    train_accuracy: Sequence[float | None]
    """Clean training images in eval mode: what is measured in training suffers from augmentation and dropout."""
    validation_accuracy: Sequence[float | None]
    validation_loss: Sequence[float | None]
    """Cross-entropy on the validation part, in nats."""
    validation_images: int

    def __post_init__(self) -> None:
        lengths = {len(self.epochs), len(self.train_accuracy), len(self.validation_accuracy), len(self.validation_loss)}
        if len(lengths) > 1:
            raise ValueError(f"curves of different lengths: {sorted(lengths)}")
        if self.validation_images < 1:
            raise ValueError(f"{self.validation_images} validation images: the noise is not known without them")


@dataclass(frozen=True)
class Remedy:
    """A change to try, and what it does to the gap."""

    area: Literal["data", "optimiser", "architecture", "duration"]
    change: str
    effect: str


@dataclass(frozen=True)
class Diagnosis:
    """The verdict and the numbers behind it; shares 0 … 1."""

    verdict: Verdict
    since_epoch: int | None
    """Over-fitted: the epoch of the best validation, after which training only memorised."""
    gap: float | None
    """Training minus validation accuracy at the end (smoothed); None where no epoch measured both."""
    best_epoch: int
    """Epoch of the highest validation accuracy, single spikes apart."""
    fall: float
    """Validation accuracy lost since that epoch."""
    noise: float
    """One standard error of the validation accuracy: half of what 95 % leave open on the wider side."""
    interval: Interval
    """Interval of 95 % of the validation accuracy at the end."""
    still_rising: bool
    """Validation accuracy was still going up when training ended, by more than the noise, and has room to go on."""
    sentence: str
    """The verdict, a colon, the reason and the numbers."""
    remedies: tuple[Remedy, ...]


_MORE_DATA = Remedy("data", "more images, or stronger augmentation: crop, flip, cutout, mixup", "narrows the gap")
_MORE_VALIDATION = Remedy(
    "data", "more validation images: a larger data.validation, or more in a folder of its own", "narrows the interval"
)
_DECAY = Remedy("optimiser", "more weight decay, or label smoothing", "narrows the gap")
_SMALLER = Remedy("architecture", "dropout before the head, or fewer channels", "narrows the gap")
_FITTING = (
    Remedy("duration", "more epochs", "raises both, and widens the gap later"),
    Remedy("optimiser", "another learning rate (lr-find), with warm-up and a schedule that ends near 0", "raises both"),
    Remedy("architecture", "more channels or layers, normalisation, residual connections", "raises both"),
    Remedy("data", "weaker augmentation, if it is strong", "raises training accuracy most"),
)


def diagnose(curves: LearningCurves, *, enough: float = ENOUGH) -> Diagnosis:
    """The verdict on a training from its curves; the thresholds are this module's constants, each with its reason.

    Raises: ValueError where no epoch measured the validation accuracy.
    """
    measured = [(e, v) for e, v in zip(curves.epochs, curves.validation_accuracy, strict=True) if _is_number(v)]
    if not measured:
        raise ValueError("no epoch measured the validation accuracy: nothing to diagnose")
    epochs, validation = [e for e, _ in measured], [v for _, v in measured if v is not None]
    smoothed = smooth(validation)
    end = smoothed[-1]
    interval = _interval(end, curves.validation_images, wobble(validation))
    margin = max(interval.high - end, end - interval.low)
    noise = margin / NOISES
    best = peak(validation, smoothed)
    fall = max(0.0, smoothed[best] - end)
    reference = smoothed[max(0, len(smoothed) - 1 - max(2, len(smoothed) // 5))]
    # what is left to gain must be more than the noise, too: at 100 % there is nothing that more epochs could raise
    still_rising = len(smoothed) > 2 and end - reference >= max(RISING, margin) and 1 - end > margin

    gaps = [
        (e, t - v)
        for e, t, v in zip(curves.epochs, curves.train_accuracy, curves.validation_accuracy, strict=True)
        if _is_number(t) and _is_number(v) and t is not None and v is not None
    ]
    gap = smooth([g for _, g in gaps])[-1] if gaps else None
    since, reason = _overfitting(curves, gaps, gap, fall, noise, epochs[best])
    train = min(1.0, end + gap) if gap is not None else None
    fit = train if train is not None else end

    if since is not None:
        verdict: Verdict = "over-fitted"
        remedies: tuple[Remedy, ...] = (_MORE_DATA, _DECAY, _SMALLER)
        if smoothed[epochs.index(since) if since in epochs else best] >= end:  # otherwise to stop there would cost some
            advice = f"stop at epoch {since}, or use the best checkpoint"
            remedies += (Remedy("duration", advice, "keeps that epoch's gap"),)
        opening = f"over-fitted since epoch {since}: {reason}"
    elif margin >= WIDE_GAP and (train is None or train >= enough):
        verdict, remedies = "unclear", (_MORE_VALIDATION,)
        count = curves.validation_images
        opening = f"unclear: {count} validation image{'s are' if count > 1 else ' is'} too few to tell"
    elif fit < enough:
        verdict, remedies = "under-fitted", _FITTING if still_rising or len(smoothed) < 3 else _FITTING[1:]
        part = "training" if train is not None else "validation"
        opening = f"under-fitted: {_percent(fit)} of the {part} images are right, under {_percent(enough)}"
    else:
        verdict = "good"
        remedies = _FITTING[:1] if still_rising else ()
        if gap is None:
            opening = "good: validation accuracy is high and holds"
        elif gap < FALL_GAP:
            opening = "good: both accuracies are high and close"
        else:
            opening = f"good: validation accuracy holds, with a gap of {_points(gap)}"
    figures = f"validation {_percent(end)}, 95 % interval {100 * interval.low:.1f} to {_percent(interval.high)}"
    if train is not None:
        figures = f"clean training {_percent(train)}, " + figures
    else:
        figures += ", clean training accuracy not measured"
    rising = "; validation accuracy was still rising, so more epochs may help" if still_rising and since is None else ""
    sentence = f"{opening} ({figures}){rising}."
    return Diagnosis(verdict, since, gap, epochs[best], fall, noise, interval, still_rising, sentence, remedies)


def _interval(accuracy: float, images: int, wobble: float) -> Interval:
    """The interval of a share of so many images, at least as wide as the wobble from epoch to epoch makes it."""
    found = wilson_interval(min(images, round(accuracy * images)), images)
    low, high = accuracy - NOISES * wobble, accuracy + NOISES * wobble
    return Interval(max(0.0, min(found.low, low)), min(1.0, max(found.high, high)))


def _overfitting(
    curves: LearningCurves,
    gaps: list[tuple[int, float]],
    gap: float | None,
    fall: float,
    noise: float,
    best_epoch: int,
) -> tuple[int | None, str]:
    """(the epoch from which it over-fitted, why), or (None, "")."""
    if fall >= max(FALL, FALL_NOISES * noise) and (gap is None or gap >= max(FALL_GAP, NOISES * noise)):
        return best_epoch, f"validation accuracy has lost {_points(fall)} since then" + (
            f", {_points(gap)} under training" if gap is not None else ""
        )
    if gap is None or gap < NOISES * noise:
        return None, ""
    losses = [(e, x) for e, x in zip(curves.epochs, curves.validation_loss, strict=True) if _is_number(x)]
    values = [x for _, x in losses if x is not None]
    if gap >= LOSS_GAP and len(values) > 2:
        smoothed = smooth(values)
        lowest = min(range(len(smoothed)), key=smoothed.__getitem__)
        if smoothed[-1] >= LOSS_RISE * smoothed[lowest] and smoothed[-1] - smoothed[lowest] >= NOISES * wobble(values):
            lowest = peak([-x for x in values], [-x for x in smoothed])
            return losses[lowest][0], (
                f"validation loss has risen from {min(smoothed):.3f} to {smoothed[-1]:.3f}, "
                f"and training accuracy is {_points(gap)} above validation"
            )
    if gap >= WIDE_GAP:
        first = len(gaps) - 1
        while first > 0 and gaps[first - 1][1] >= WIDE_GAP:
            first -= 1
        return gaps[first][0], f"training accuracy is {_points(gap)} above validation"
    return None, ""


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def smooth(values: Sequence[float]) -> list[float]:
    """Running median of three, which removes single spikes and leaves trends; fewer than five values stay as they are.

    At both ends Tukey's rule: the median of the value, its smoothed neighbour, and the neighbours' line prolonged
    (J. W. Tukey, "Exploratory data analysis", 1977, chapter 7).
    """
    if len(values) < 5:
        return list(values)
    inner = [median(values[i - 1 : i + 2]) for i in range(1, len(values) - 1)]
    first = median([values[0], inner[0], 3 * inner[0] - 2 * inner[1]])
    last = median([values[-1], inner[-1], 3 * inner[-1] - 2 * inner[-2]])
    return [first, *inner, last]


def peak(values: Sequence[float], smoothed: Sequence[float]) -> int:
    """Find the highest of the `smoothed` values, or beside it the highest measured one: smoothing shifts by one."""
    near = max(range(len(smoothed)), key=smoothed.__getitem__)
    return max(range(max(0, near - 1), min(len(values), near + 2)), key=values.__getitem__)


def wobble(values: Sequence[float]) -> float:
    """Standard deviation of one value, from how the second half departs from a straight line through its neighbours.

    A trend, however steep, is no wobble: of x[i−1] − 2x[i] + x[i+1] the variance is 6 times that of x. The median
    deviation times 1.4826 estimates it without being moved by single spikes.
    """
    late = values[max(0, len(values) // 2 - 1) :]
    if len(late) < 5:
        return 0.0
    bends = [abs(a - 2 * b + c) for a, b, c in zip(late, late[1:], late[2:], strict=False)]
    return 1.4826 * median(bends) / math.sqrt(6)
