"""A trained run, as the statements about one ask it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from cnnlab.data.batches import ChannelStatistics, channel_statistics
from cnnlab.data.dataset import Dataset
from cnnlab.evaluation.run import EvaluateOptions, evaluated
from cnnlab.network.network import RunNetwork
from cnnlab.network.session import Session
from cnnlab.runs.images import images_of
from cnnlab.stats.classification import Classification


@dataclass(frozen=True)
class TrainedRun:
    """The network of a run, and where its data lies; each fact is worked out when it is asked for."""

    network: RunNetwork
    session: Session

    @property
    def dataset(self) -> str:
        """The name of the data set that its config trains on."""
        return self.network.config.data.dataset.name

    @cached_property
    def epochs(self) -> list[dict[str, Any]]:
        """The points of its curves that close an epoch."""
        return self.network.run.epochs()

    def last(self, name: str) -> float | None:
        """A number of the last epoch; None where it was not measured."""
        return next((value for _, value in reversed(list(self.points(name)))), None)

    def accuracy(self, *, epochs: int) -> float | None:
        """On the test part where that was opened by `cnnlab eval`, else of the best epoch on the validation part.

        None of a run of fewer epochs: nothing was claimed of it.
        """
        outcome, test = self.network.run.record.outcome, self.network.run.test_accuracy()
        if outcome.epochs < epochs:
            return None
        return outcome.val_accuracy if test is None else test

    @cached_property
    def images(self) -> Dataset:
        """All images of the training part, validation images included."""
        return images_of(self.network.config, self.session.place, "train")

    @cached_property
    def statistics(self) -> ChannelStatistics:
        """Of the channels of all of them, of pixels in 0 … 1."""
        return channel_statistics(self.images.images)

    @property
    def test_count(self) -> int:
        """Images of the test part, counted and not looked at."""
        return len(images_of(self.network.config, self.session.place, "test"))

    @cached_property
    def evaluation(self) -> Classification | None:
        """The measures on the validation part; None where none was kept."""
        if not self.network.run.record.data.validation:
            return None
        return evaluated(self.network, self.session, EvaluateOptions(split="validation")).facts

    def points(self, name: str) -> Iterator[tuple[int, float]]:
        """(epoch, value) of a curve, where it was measured."""
        for point in self.epochs:
            if point.get(name) is not None:
                yield int(point["epoch"]), float(point[name])

    @property
    def sums(self) -> bool | None:
        """Whether the rows of the confusion matrix add up to the images of each class; None without validation."""
        if self.evaluation is None:
            return None
        counts = self.network.part("validation", self.session.place).counts()
        return bool(torch.equal(self.evaluation.matrix.sum(1), counts.to(self.evaluation.matrix)))
