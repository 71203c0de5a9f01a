"""Learning-rate schedules: pure functions of the progress of the run.

Progress goes from 0 at the first step to 1 after the last, so a schedule has no state, resumes by itself and stretches
to a time budget. Warm-up and milestones are given in epochs. A warm-up rises in a straight line from 0, but its first
steps have a hundredth of the rate at its end, never 0.
"""

from collections.abc import Callable
from math import cos, pi
from typing import Annotated, Literal

from pydantic import Field

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import Fraction, NonNegativeNumber, PositiveNumber
from cnnlab.fit.registry import SCHEDULES

Schedule = Callable[[float], float]

WARMUP_START = 0.01
"""The least factor of a warm-up: a first step with a rate of 0 would be a step for nothing."""

ROUNDING = 1e-9
"""Epochs taken for rounding: a progress of 29/100 times 100 must count as epoch 29, and is 28.999999999999996."""


def _warmed(schedule: Schedule, warmup: float, epochs: int) -> Schedule:
    """A linear rise over `warmup` epochs, from `WARMUP_START` on, then `schedule` over the rest."""
    share = _share(warmup, epochs, "warmup")
    if share == 0:
        return schedule

    def factor(progress: float) -> float:
        if progress < share:
            return max(progress / share, WARMUP_START) * schedule(0.0)
        return schedule((progress - share) / (1 - share))

    return factor


def _share(span: float, epochs: int, name: str) -> float:
    if span >= epochs and span > 0:
        raise RequestError(
            f"the schedule's {name} of {span:g} epochs must be shorter than the {epochs} epochs of the run"
        )
    return span / epochs


@SCHEDULES.register("constant")
def constant(epochs: int, *, warmup: NonNegativeNumber = 0.0) -> Schedule:
    """One learning rate throughout, after `warmup` epochs of a linear rise."""
    return _warmed(lambda progress: 1.0, warmup, epochs)


@SCHEDULES.register("step")
def step(
    epochs: int,
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
    epochs: int, *, warmup: NonNegativeNumber = 0.0, floor: Fraction = 0.0, every: Literal["step", "epoch"] = "step"
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
def one_cycle(epochs: int, *, rise: Fraction = 0.3, start: Fraction = 0.04, end: Fraction = 4e-6) -> Schedule:
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
def triangular(epochs: int, *, rise: Fraction = 0.23, start: Fraction = 0.2, end: Fraction = 0.07) -> Schedule:
    """From `start` straight up to 1 over the share `rise` of the run, then straight down to `end`.

    The defaults are those of airbench (Jordan 2024, arXiv:2404.00498).
    """

    def factor(progress: float) -> float:
        if progress < rise:
            return start + (1 - start) * progress / rise
        return 1 + (end - 1) * min(1.0, (progress - rise) / (1 - rise))

    return factor
