"""Who watches a training: is told of its start and of each epoch, and writes what it sees."""

from collections.abc import Callable
from typing import Protocol

from cnnlab.fit.fit import EpochDone
from cnnlab.runs.events import EventLog
from cnnlab.training.setup import TrainingSetup


class Observer(Protocol):
    """Watches a training from its start or resumption on, and leaves its network as it is."""

    def at_start(self) -> None:
        """Called before the first step; after a resumption, too."""

    def after_epoch(self, fact: EpochDone) -> None:
        """Called after each epoch and its validation, before the checkpoint is written."""


MakesObserver = Callable[[TrainingSetup, EventLog], Observer]


def is_due(fact: EpochDone, setup: TrainingSetup, *, every: int) -> bool:
    """Return whether the epoch is one of every so many, or the last; never where `every` is 0."""
    return bool(every) and (fact.epoch % every == 0 or fact.epoch == setup.config.training.epochs)
