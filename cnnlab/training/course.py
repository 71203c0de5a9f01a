"""What happens in a training, the same on each of the processes that do it: steps, validation, the best, the end."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from cnnlab.core.errors import WorkError
from cnnlab.fit.device import deterministic
from cnnlab.fit.distributed.ranks import Ranks
from cnnlab.fit.fit import EpochDone, StepDone
from cnnlab.runs.record import Status
from cnnlab.training.events import StopWish
from cnnlab.training.report import EpochRow
from cnnlab.training.report_files import epoch_row
from cnnlab.training.setup import TrainingSetup


@dataclass(frozen=True)
class EpochClosed:
    """After an epoch and its validation, the progress up to date."""

    fact: EpochDone
    row: EpochRow
    best: bool
    """Whether no epoch before was as good."""


@dataclass(frozen=True)
class Ended:
    """At the end of it."""

    status: Status
    within_epoch: bool = False
    """Whether it was stopped between two steps, so that a checkpoint is due."""


def course(
    setup: TrainingSetup, stop: StopWish | bool, *, stop_after: int | None = None
) -> Iterator[StepDone | EpochClosed | Ended]:
    """Train from where the set-up stands; `Ended` comes last. All processes decide alike.

    stop: true as soon as the training should end with the step that it is at. stop_after: epochs after which to pause.

    Raises: WorkError when training fails.
    """
    progress, config, ranks = setup.state.progress, setup.config, setup.state.ranks
    for fact in setup.fitted(
        setup.learned,
        epochs=config.training.epochs,
        time_budget=config.training.time_budget,
        resolution=setup.resolution,
    ):
        if isinstance(fact, StepDone):
            yield fact
            if _is_wished(stop, ranks):
                setup.state.tell_random()
                yield Ended("interrupted", within_epoch=True)
                return
            continue
        closed = _closed(fact, setup)
        setup.state.tell_random()
        yield closed
        if progress.epoch >= config.training.epochs:
            continue
        patience = config.early_stopping.patience if config.early_stopping else None
        if patience and progress.stale_epochs >= patience:
            yield Ended("stopped-early")
            return
        if _is_wished(stop, ranks):
            yield Ended("interrupted")
            return
        if stop_after and progress.epoch >= stop_after:
            yield Ended("paused")
            return
    yield Ended("finished" if progress.epoch >= config.training.epochs else "out-of-time")


def _is_wished(stop: StopWish | bool, ranks: Ranks) -> bool:
    """Whether one of the processes is to stop; then all of them are."""
    if not ranks.any(bool(stop)):
        return False
    if isinstance(stop, StopWish):
        stop.signal = max(ranks.gathered(stop.signal))
    return True


def _closed(fact: EpochDone, setup: TrainingSetup) -> EpochClosed:
    """Validate, and remember the best."""
    progress, images = setup.state.progress, setup.images
    row = epoch_row(fact, setup)
    metric = row.val_accuracy
    gain = setup.config.early_stopping.minimum_gain if setup.config.early_stopping else 0.0
    best = metric is not None and (progress.best_metric is None or metric > progress.best_metric)
    enough = metric is not None and (progress.best_metric is None or metric > progress.best_metric + gain)
    progress.stale_epochs = 0 if enough else progress.stale_epochs + 1
    best = best or images.validation is None
    if best:
        progress.best_metric, progress.best_epoch = metric, fact.epoch
    return EpochClosed(fact, row, best)


def follow(setup: TrainingSetup, stop: StopWish | bool, *, stop_after: int | None = None) -> None:
    """Take this process's share in a training that the first process writes down.

    Raises: WorkError when training fails.
    """
    try:
        with deterministic(setup.config.training.deterministic):
            for _ in course(setup, stop, stop_after=stop_after):
                pass
    except torch.OutOfMemoryError as error:
        raise WorkError(too_little_memory(setup)) from error


def too_little_memory(setup: TrainingSetup) -> str:
    """The sentence for a device whose memory is full."""
    return (
        f"{setup.state.device} has too little memory for a batch of {setup.config.training.batch_size}; "
        "make training.batch_size smaller (training.accumulate keeps the step's size), or precision bf16"
    )
