"""`cnnlab train --repeats N`: the same config with other seeds, and how far the results lie apart."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cnnlab.config.config import Config
from cnnlab.stats.confidence import MeanInterval, mean_interval
from cnnlab.training.events import Finished, StopWish, TrainingEvent
from cnnlab.training.loop import TrainOptions
from cnnlab.training.run import check_free, train


@dataclass(frozen=True)
class Repeated:
    """After the last repeat."""

    runs: tuple[Finished, ...]
    accuracy: MeanInterval | None
    """Mean of the validation accuracies, 0 … 1."""

    @property
    def sentence(self) -> str:
        """The result in words."""
        n = len(self.runs)
        if self.accuracy is None:
            return f"{n} runs, without validation"
        if self.accuracy.interval is None or self.accuracy.deviation is None:
            return f"1 run: {self.accuracy.mean:.2%} validation accuracy"
        return (
            f"{n} runs: {self.accuracy.mean:.2%} ± {self.accuracy.deviation:.2%} (standard deviation) validation "
            f"accuracy; 95 % interval of the mean {self.accuracy.interval.low:.2%} … {self.accuracy.interval.high:.2%}"
        )

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        interval = self.accuracy.interval if self.accuracy else None
        return {
            "runs": [run.as_json() for run in self.runs],
            "mean": self.accuracy.mean if self.accuracy else None,
            "deviation": self.accuracy.deviation if self.accuracy else None,
            "ci95": [interval.low, interval.high] if interval else None,
        }


def repeat(
    config: Config, options: TrainOptions, stop: StopWish | bool = False, *, repeats: int
) -> Iterator[TrainingEvent | Repeated]:
    """Train `repeats` runs with seeds config.seed, config.seed + 1, …; the data split changes with the seed too.

    Arguments:
        config, options, stop: as of `train`; each run is called after its seed, as in `quickstart-seed0`.
        repeats: how many runs, from 1.

    Yields:
        What `train` yields of each run; at last `Repeated`.

    Raises:
        RequestError: before the first one when a run of one of the names exists, and as `train`.
        WorkError: when training fails, which the run records.
    """
    names = [f"{options.name or config.name}-seed{config.seed + number}" for number in range(repeats)]
    for name in names if options.session.ranks.leads else ():
        if os.path.lexists(options.session.runs / name):
            check_free(options.session.runs / name)
    done: list[Finished] = []
    for number, name in enumerate(names):
        seed = config.seed + number
        began = options.began if number == 0 else time.perf_counter()
        for event in train(config.model_copy(update={"seed": seed}), replace(options, name=name, began=began), stop):
            if isinstance(event, Finished):
                done.append(event)
            yield event
        if stop:
            break
    accuracies = [run.val_accuracy for run in done if run.val_accuracy is not None]
    yield Repeated(tuple(done), mean_interval(accuracies) if accuracies else None)
