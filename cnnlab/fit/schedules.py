"""Learning-rate schedules: pure functions of the progress of the run.

Progress goes from 0 at the first step to 1 after the last, so a schedule has no state, resumes by itself and stretches
to a time budget. Warm-up and milestones are given in epochs. A warm-up rises in a straight line from 0, but its first
steps have a hundredth of the rate at its end, never 0. A schedule over the steps of a run is its `LearningRateCurve`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi
from typing import Annotated, Literal

from pydantic import Field

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import Fraction, NonNegativeNumber, PositiveNumber
from cnnlab.fit.progress import Progress
from cnnlab.fit.registry import SCHEDULES

Schedule = Callable[[float], float]

WARMUP_START = 0.01
"""The least factor of a warm-up: a first step with a rate of 0 would be a step for nothing."""

ROUNDING = 1e-9
"""Epochs taken for rounding: a progress of 29/100 times 100 must count as epoch 29, and is 28.999999999999996."""


TOLERANCE = 0.01
"""Two rates that differ by less, relative to the larger, are no jump: a schedule moves as much within a few steps."""

POINTS = 200
"""Places of the past at which two curves are compared, and of a whole curve at which its highest rate is sought."""


def _warmed(schedule: Schedule, warmup: float, epochs: float) -> Schedule:
    """A linear rise over `warmup` epochs, from `WARMUP_START` on, then `schedule` over the rest."""
    share = _share(warmup, epochs, "warmup")
    if share == 0:
        return schedule

    def factor(progress: float) -> float:
        if progress < share:
            return max(progress / share, WARMUP_START) * schedule(0.0)
        return schedule((progress - share) / (1 - share))

    return factor


def _share(span: float, epochs: float, name: str) -> float:
    if span >= epochs and span > 0:
        raise RequestError(
            f"the schedule's {name} of {span:g} epochs must be shorter than the {epochs:g} epochs of the run"
        )
    return span / epochs


@SCHEDULES.register("constant")
def constant(epochs: float, *, warmup: NonNegativeNumber = 0.0) -> Schedule:
    """One learning rate throughout, after `warmup` epochs of a linear rise."""
    return _warmed(lambda progress: 1.0, warmup, epochs)


@SCHEDULES.register("step")
def step(
    epochs: float,
    *,
    milestones: list[PositiveNumber],
    factor: Annotated[float, Field(gt=0, le=10)] = 0.1,
    warmup: NonNegativeNumber = 0.0,
) -> Schedule:
    """Multiply by `factor` at each of `milestones` (epochs), after `warmup` epochs of a linear rise."""
    share = _share(warmup, epochs, "warmup")

    def at(progress: float) -> float:
        if progress < share:
            return max(progress / share, WARMUP_START)
        return factor ** sum(progress * epochs + ROUNDING >= milestone for milestone in milestones)

    return at


@SCHEDULES.register("cosine")
def cosine(
    epochs: float, *, warmup: NonNegativeNumber = 0.0, floor: Fraction = 0.0, every: Literal["step", "epoch"] = "step"
) -> Schedule:
    """floor + (1 − floor)·(1 + cos(π·progress))/2 (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5).

    `every: epoch` holds the rate during each epoch after the warm-up, as `CosineAnnealingLR` stepped once an epoch.
    """
    annealed = epochs - warmup

    def factor(progress: float) -> float:
        if every == "epoch":
            progress = int(progress * annealed + ROUNDING) / annealed
        return floor + (1 - floor) * (1 + cos(pi * min(progress, 1.0))) / 2

    return _warmed(factor, warmup, epochs)


@SCHEDULES.register("one_cycle")
def one_cycle(epochs: float, *, rise: Fraction = 0.3, start: Fraction = 0.04, end: Fraction = 4e-6) -> Schedule:
    """From `start` up to 1 over the share `rise` of the run, then down to `end`, both along a cosine.

    Smith & Topin 2018, arXiv:1708.07120; the defaults are those of `torch.optim.lr_scheduler.OneCycleLR`, whose
    `max_lr` is the optimizer's `lr` here.
    """

    def between(low: float, high: float, share: float) -> float:
        return high + (low - high) * (1 + cos(pi * share)) / 2

    def factor(progress: float) -> float:
        if progress < rise:
            return between(start, 1.0, progress / rise)
        return between(1.0, end, min(1.0, (progress - rise) / (1 - rise)))

    return factor


@SCHEDULES.register("triangular")
def triangular(epochs: float, *, rise: Fraction = 0.23, start: Fraction = 0.2, end: Fraction = 0.07) -> Schedule:
    """From `start` straight up to 1 over the share `rise` of the run, then straight down to `end`.

    The defaults are those of airbench (Jordan 2024, arXiv:2404.00498).
    """

    def factor(progress: float) -> float:
        if progress < rise:
            return start + (1 - start) * progress / rise
        return 1 + (end - 1) * min(1.0, (progress - rise) / (1 - rise))

    return factor


@dataclass(frozen=True)
class LearningRateCurve:
    """A schedule over the optimizer steps of a run; `lr` is the optimizer's, of the first parameter group."""

    schedule: Schedule
    name: str
    lr: float
    epochs: int
    steps_per_epoch: int
    time_budget: float | None = None
    """Seconds; the schedule runs by the clock where that is ahead of the steps."""

    def done(self, progress: Progress) -> float:
        """The share of the schedule, 0 … 1, that `progress` has behind it."""
        share = progress.step / (self.epochs * self.steps_per_epoch)
        if self.time_budget is not None:
            share = max(share, progress.elapsed / self.time_budget)
        return min(share, 1.0)

    def at(self, share: float) -> float:
        """The rate at a share of the schedule."""
        return self.lr * self.schedule(share)

    def __str__(self) -> str:
        """The curve in numbers: its length, its first and last rate, and its highest between them."""
        rates = [self.at(place / POINTS) for place in range(POINTS + 1)]
        highest = max(range(len(rates)), key=rates.__getitem__)
        length = f"{self.name} over {self.epochs} epoch{'s' * (self.epochs > 1)}"
        if self.time_budget is not None:
            length += f" or {self.time_budget:g} s"
        if max(rates) == min(rates):
            return f"{length} ({rates[0]:.3g} throughout)"
        peak = f", up to {rates[highest]:.3g} at epoch {self.epochs * highest / POINTS:.3g}"
        inside = peak if rates[highest] > max(rates[0], rates[-1]) else ""
        return f"{length} ({rates[0]:.3g} at first{inside}, {rates[-1]:.3g} at last)"


def departure(old: LearningRateCurve, new: LearningRateCurve, progress: Progress) -> str | None:
    """Tell where `new` departs from `old`, which a run has followed up to `progress`, in numbers; None if nowhere.

    The two are compared at the next step and at every earlier one, whatever the schedules are called: a curve that
    meets the old one by chance, to rise once more, departs as well.
    """
    if progress.step == 0:
        return None
    epoch = progress.step / new.steps_per_epoch
    before, now = old.done(progress), new.done(progress)
    # shares of the past, and both rates there
    rates = [(n / POINTS, old.at(before * n / POINTS), new.at(now * n / POINTS)) for n in range(POINTS + 1)]
    different = [(share, was, would) for share, was, would in rates if abs(was - would) > TOLERANCE * max(was, would)]
    if not different:
        return None
    share, was, would = different[-1]
    if share == 1:
        jump = f"the learning rate would jump from {was:.3g} to {would:.3g} after epoch {epoch:.3g}"
    else:
        share, was, would = max(different, key=lambda found: abs(found[1] - found[2]))
        jump = f"the learning rate would go on along another curve, on which epoch {share * epoch:.3g} had {would:.3g}"
        jump += f" and not {was:.3g}"
    return f"{jump}: so far it followed {old}, and now {new}"
