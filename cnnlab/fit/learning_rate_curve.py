"""The learning rate over a whole run, and whether a changed length leaves the curve that a run has followed so far."""

from collections.abc import Iterator
from dataclasses import dataclass

from cnnlab.fit.schedules import Schedule
from cnnlab.fit.state import Progress

TOLERANCE = 0.01
"""Two rates that differ by less, relative to the larger, are no jump: a schedule moves as much within a few steps."""

POINTS = 200
"""Places of the past at which two curves are compared, and of a whole curve at which its highest rate is sought."""


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
    places = list(_compared(old.done(progress), new.done(progress)))
    was, would = (old.at(places[-1][0]), new.at(places[-1][1]))
    if _differ(was, would):
        jump = f"the learning rate would jump from {was:.3g} to {would:.3g} after epoch {epoch:.3g}"
    else:
        different = [(share, *rates) for share, *rates in _rates(old, new, places) if _differ(*rates)]
        if not different:
            return None
        share, was, would = max(different, key=lambda found: abs(found[1] - found[2]))
        jump = f"the learning rate would go on along another curve, on which epoch {share * epoch:.3g} had {would:.3g}"
        jump += f" and not {was:.3g}"
    return f"{jump}: so far it followed {old}, and now {new}"


def _compared(old: float, new: float) -> Iterator[tuple[float, float]]:
    """Shares of both schedules, from the first step to the next one."""
    for place in range(POINTS + 1):
        yield old * place / POINTS, new * place / POINTS


def _rates(
    old: LearningRateCurve, new: LearningRateCurve, places: list[tuple[float, float]]
) -> Iterator[tuple[float, float, float]]:
    """The share of the past, and both rates there."""
    for number, (before, now) in enumerate(places):
        yield number / POINTS, old.at(before), new.at(now)


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > TOLERANCE * max(one, other)
