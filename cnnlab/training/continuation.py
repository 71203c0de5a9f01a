"""Whether a resumed run goes on as it began: its learning rate along the same curve, its numbers computed alike."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import replace

from cnnlab.config.config import Config
from cnnlab.core.errors import RequestError
from cnnlab.fit.device import arithmetic, command_as, differences
from cnnlab.fit.schedules import LearningRateCurve, departure
from cnnlab.runs.folder import Run
from cnnlab.runs.record import RunRecord
from cnnlab.training.loop import TrainOptions
from cnnlab.training.setup import TrainingSetup


def curve_remark(run: Run, before: Config, setup: TrainingSetup, *, stretch: bool) -> str | None:
    """What is to be said where the learning rate leaves the curve that it has followed so far; None where it does not.

    before: the config that the run has been trained with. stretch: whether it may.

    Raises: RequestError where it does, and may not.
    """
    asked = setup.config.training
    # a record that says nothing of the arithmetic is older than the one that says what budget there was
    budget = run.record.time_budget if run.record.arithmetic else asked.time_budget
    then, *thens = _curves(setup, before, before.training.epochs, budget)
    now, *nows = _curves(setup, setup.config, asked.epochs, asked.time_budget)
    found = _departure([then, *thens], [now, *nows], setup)
    if found is None:
        return None
    if stretch:
        return f"{found}; it does, as asked for"
    kept = [] if then.epochs == now.epochs else [f"training.epochs={then.epochs}"]
    if then.time_budget != now.time_budget:
        kept.append(f"`time_budget` {then.time_budget:g}s" if then.time_budget else "no `time_budget`")
    over = then.done(setup.state.progress) == 1
    old = "the old one is at its end" if over else f"{' and '.join(kept)} keeps to the old one"
    raise RequestError(f"{found}; `stretch_schedule` takes the new one, {old}")


def extension(run: Run, before: Config, setup: TrainingSetup) -> str:
    """What makes a run that has done all its epochs go on for as many again."""
    epochs = 2 * setup.state.progress.epoch
    then = _curves(setup, before, before.training.epochs, run.record.time_budget)
    now = _curves(setup, before, epochs, setup.config.training.time_budget)
    leaves = _departure(then, now, setup)
    return f"training.epochs={epochs}" + " `stretch_schedule`" * bool(leaves)


def _curves(setup: TrainingSetup, config: Config, epochs: int, time_budget: float | None) -> list[LearningRateCurve]:
    """That of the training, and those of parameter groups that have one of their own over all of it."""
    lr = float(setup.state.optimizer.param_groups[0]["lr_base"])
    steps = math.ceil(setup.batches.steps / setup.config.training.accumulate)
    own = [(rule.schedule, rule.lr_scale) for rule in config.parameter_groups if rule.schedule and rule.until is None]
    return [
        LearningRateCurve(schedule.build(epochs=epochs), schedule.name, lr * scale, epochs, steps, time_budget)
        for schedule, scale in [(config.schedule, 1.0), *own]
    ]


def _departure(then: Sequence[LearningRateCurve], now: Sequence[LearningRateCurve], setup: TrainingSetup) -> str | None:
    """The first departure of a curve from what it was."""
    found = (departure(old, new, setup.state.progress) for old, new in zip(then, now, strict=True))
    return next(filter(None, found), None)


def arithmetic_remark(run: Run, options: TrainOptions) -> str | None:
    """What is to be said where this process computes otherwise than the one that trained the run; None where not."""
    if not run.record.arithmetic:
        return None
    session = options.session
    before, now = run.record.arithmetic[-1], arithmetic(session.device, session.ranks.world)
    found = differences(before, now)
    if not found:
        return None
    command = shlex.join(_without_threads(options.command))
    again = command_as(before, now, command)
    way = f"; to repeat it to the bit: {again}" if again != command else ""
    return f"computed with {', '.join(found)}: not to the bit what the run would have become without the stop{way}"


def continued_record(record: RunRecord, setup: TrainingSetup) -> RunRecord:
    """The record with how this process computes, where that is new, and its time budget."""
    now = arithmetic(setup.state.device, setup.state.ranks.world)
    computed = record.arithmetic if record.arithmetic[-1:] == (now,) else (*record.arithmetic, now)
    return replace(record, arithmetic=computed, time_budget=setup.config.training.time_budget)


def _without_threads(command: Sequence[str]) -> list[str]:
    words = iter(command)
    kept = []
    for word in words:
        if word == "--threads":
            next(words, None)
        elif not word.startswith("--threads="):
            kept.append(word)
    return kept
