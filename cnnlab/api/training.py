"""A network is trained from Python: `cnnlab.train`, and `cnnlab.training_steps` for those who want the facts."""

import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from cnnlab.api.apart import apart
from cnnlab.api.asked_config import config_of
from cnnlab.api.open import open
from cnnlab.api.opened import OpenedNetwork
from cnnlab.api.result import Result, plain
from cnnlab.api.untouched import told, untouched
from cnnlab.api.wish import Wish, takes
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.training.events import Finished, Started, StopWish, TrainingEvent, stop_wish
from cnnlab.training.loop import TrainOptions
from cnnlab.training.report import EpochRow, training_contribution
from cnnlab.training.report_files import step_rows
from cnnlab.training.run import resume as resume_run
from cnnlab.training.run import train as train_run
from cnnlab.training.views import TrainingViews
from cnnlab.view.blocks import Report
from cnnlab.view.contribution import composed
from cnnlab.wiring import field_views, validation_section


@dataclass(frozen=True, eq=False, repr=False)
class TrainedRun(Result):
    """A run that was trained: how it ended, and every epoch."""

    document_name: ClassVar[str] = "training.json"

    facts: Finished
    epochs: tuple[EpochRow, ...]
    """Loss and accuracy after each epoch of this training."""
    parameters: int
    session: Session
    """Where it was trained."""

    @property
    def name(self) -> str:
        """Of the run."""
        return self.facts.run

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.facts.path

    @property
    def status(self) -> str:
        """`finished`, `stopped-early`, `out-of-time` or `paused`."""
        return self.facts.status

    @property
    def val_accuracy(self) -> float | None:
        """The best on the validation part, 0 … 1; None where none was kept."""
        return self.facts.val_accuracy

    def open(self, weights: str = "best") -> OpenedNetwork:
        """The run's network.

        Arguments:
            weights: `best` or `last`.

        Returns:
            What `cnnlab.open` gives for the run.
        """
        session = self.session
        return open(
            self.path,
            weights=weights,
            device=session.device_name,
            runs=session.runs,
            allow_plugins=session.allow_plugins,
            max_batch=session.max_batch,
        )

    @cached_property
    def report(self) -> Report:
        """The curves, and the verdict on overfitting."""
        config = shlex.quote(str(self.path / "config.yaml"))
        part = training_contribution(
            self.epochs,
            self.facts.diagnosis,
            train_seconds=self.facts.train_seconds,
            wall_seconds=self.facts.wall_seconds,
            config=config,
            record=Run(self.path).record,
            steps=step_rows(Run(self.path)),
        )
        again = f"cnnlab report {shlex.quote(str(self.path))}"
        return composed(
            f"Training of {self.name}",
            [part],
            lead=f"{self.status.capitalize()} after epoch {self.facts.epochs}.",
            command=again,
        )

    def to_dict(self) -> dict[str, Any]:
        """What `cnnlab train --json` prints."""
        return plain(self.facts.as_json())


@takes(Wish)
def train(wish: Wish) -> TrainedRun:
    """Train a network; the run's folder is what `cnnlab train` makes, to the bit.

    Ctrl-C ends it with the step that it is at, and raises KeyboardInterrupt; `resume` goes on from there.

    Arguments:
        config: a file, a mapping with what stands in one, a `Config`, or None for the built-in quickstart.
        epochs: in place of the config's.
        overrides: other changes: `{"optimizer.lr": 0.05}`, or `["optimizer.lr=0.05"]`.
        name: what the run is called; the config's name by default.
        resume: a run to go on with, in place of a config; its own config holds.
        time_budget: seconds after which the schedule has run out.
        stop_after: epochs after which to pause.
        report: whether the page with its figures is written.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        runs: the folder that holds the runs.
        data: with `resume`: where its images lie now.
        allow_plugins: whether Python files that the config names may be run.

    Returns:
        How it ended, with every epoch; `open` is its network.

    Raises:
        RequestError: before anything is written, with every mistake in the config.
        WorkError: where the training fails, which the run records.

    Example:
        >>> import cnnlab, tempfile
        >>> small = {"data.dataset": {"shapes": {"train_count": 300}}, "training.batch_size": 64}
        >>> run = cnnlab.train(epochs=1, overrides=small, runs=tempfile.mkdtemp(), device="cpu", report=False)
        >>> run.status, len(run.epochs), run.open().classes[:2]
        ('finished', 1, ('disc', 'ring'))
    """
    rows: list[EpochRow] = []
    parameters, finished = 0, None
    with _stoppable() as stop:
        for event in _steps(wish, stop):
            if isinstance(event, Started):
                parameters = event.parameters
            elif isinstance(event, EpochRow):
                rows.append(event)
            elif isinstance(event, Finished):
                finished = event
    if stop:
        raise KeyboardInterrupt
    assert finished is not None
    return TrainedRun(finished, tuple(rows), parameters, wish.session)


@takes(Wish)
def training_steps(wish: Wish) -> Iterator[TrainingEvent]:
    """Train a network step by step, for whoever wants to see, to log or to stop.

    Between two steps the random generators and torch's settings are the caller's own. Who stops iterating ends the
    training there.

    Arguments:
        config, epochs, overrides, name, resume, time_budget, stop_after, report, device, runs, data, allow_plugins: as
            of `train`.

    Yields:
        `Started`, a `StepDone` after each step of the optimizer, an `EpochRow` after each epoch, and `Finished`. Where
        the config has a proxy choose `hardest` images, an `Advance` after each of its steps and `ProxyDone` come first.

    Raises:
        RequestError: as `train`.
        WorkError: as `train`.

    Example:
        >>> import cnnlab, tempfile
        >>> small = {"data.dataset": {"shapes": {"train_count": 300}}, "training.batch_size": 64}
        >>> steps = cnnlab.training_steps(epochs=1, overrides=small, runs=tempfile.mkdtemp(), report=False)
        >>> [type(step).__name__ for step in steps]
        ['Started', 'StepDone', 'StepDone', 'StepDone', 'StepDone', 'StepDone', 'EpochRow', 'Finished']
    """
    yield from _steps(wish, stop=False)


def _steps(wish: Wish, stop: StopWish | bool) -> Iterator[TrainingEvent]:
    with told():
        if wish.resume is not None and (wish.config is not None or wish.name is not None):
            raise RequestError("`resume` goes on with one run and its own config: no `config`, no `name`")
        if wish.data is not None and wish.resume is None:
            raise RequestError("`data` is for `resume`; a new run's images are named by the config")
        settings, folder = None, Path()
        if wish.resume is None:
            with untouched():
                settings, folder = config_of(wish.config, wish.changes, allow_plugins=wish.allow_plugins)
        options = TrainOptions(
            wish.session,
            name=wish.name,
            stop_after=wish.stop_after,
            command=["cnnlab.train"],
            config_folder=folder,
            report=wish.report,
            validation_section=validation_section,
            observers=(TrainingViews, field_views),
        )
        if settings is None:
            assert wish.resume is not None
            yield from apart(resume_run(wish.session.run(wish.resume), wish.changes, options, stop))
        else:
            yield from apart(train_run(settings, options, stop))


@contextmanager
def _stoppable() -> Iterator[StopWish]:
    """The wish to stop, which signals make; in another thread than the main one there are none."""
    main = threading.current_thread() is threading.main_thread()
    with stop_wish() if main else nullcontext(StopWish()) as wish:
        yield wish
