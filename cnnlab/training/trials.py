"""The trainings that an experiment needs: runs in the experiment's own folder, each done once."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from cnnlab.config.config import Config, checked_name
from cnnlab.config.differences import first_difference
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.files import write_whole
from cnnlab.core.yaml import as_python, load, parse
from cnnlab.fit.fit import StepDone
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run, can_start_over
from cnnlab.runs.record import Status
from cnnlab.training.events import Started, StopWish, stop_wish
from cnnlab.training.loop import TrainOptions
from cnnlab.training.report import EpochRow
from cnnlab.training.report_files import epoch_rows
from cnnlab.training.run import resume, train

ENDED: tuple[Status, ...] = ("finished", "stopped-early", "diverged")
"""A trial in one of these states is not trained again."""


@dataclass(frozen=True)
class Trial:
    """A training that an experiment needs."""

    name: str
    """Of its run, such as `dense-300-seed0`."""
    config: Config


@dataclass(frozen=True)
class Trained:
    """A trial with its run."""

    trial: Trial
    run: Run
    reused: bool
    """Whether it was there already."""

    @property
    def status(self) -> Status:
        """How its training ended: `diverged` is an outcome as well."""
        return self.run.record.outcome.status

    @property
    def rows(self) -> list[EpochRow]:
        """Its epochs."""
        return epoch_rows(self.run)

    @property
    def val_accuracy(self) -> float | None:
        """Accuracy of its best epoch on the validation part, 0 … 1; None without one."""
        return self.run.record.outcome.val_accuracy


def trained(
    trials: Sequence[Trial], folder: Path, session: Session, *, config_folder: Path = Path()
) -> Iterator[Advance | Trained]:
    """Train each trial as a run `folder/NAME`; what is there already is taken, what was interrupted goes on.

    Ctrl-C ends the training with the step that it is at, and a later call goes on there.

    Arguments:
        trials: of different names.
        folder: of the experiment. Beside each run stands NAME.yaml, the config that was asked for.
        session: device, data, trust; the seeds are those of the configs.
        config_folder: at which relative paths of plugins start.

    Yields:
        How far each training is, and `Trained` for each trial, in their order.

    Raises:
        RequestError: before anything is trained, for two trials of one name, and for a trial that `folder` holds with
            another config, with the first option that differs.
        WorkError: as `train`, but not for a loss that diverged, which is an outcome.
        KeyboardInterrupt: after Ctrl-C, when all is safe.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from cnnlab.config import QUICKSTART
        >>> from cnnlab.config.config import read_config
        >>> from cnnlab.network.session import Session
        >>> from cnnlab.training.trials import Trained, Trial, trained
        >>> small = ["data.dataset={shapes: {train_count: 300}}", "training.batch_size=64", "training.epochs=1"]
        >>> trials = [Trial("once", read_config(QUICKSTART, small))]
        >>> folder, session = Path(mkdtemp()), Session(device_name="cpu")
        >>> [one.reused for one in trained(trials, folder, session) if isinstance(one, Trained)]
        [False]
        >>> [one.reused for one in trained(trials, folder, session) if isinstance(one, Trained)]
        [True]
    """
    names = [checked_name(trial.name) for trial in trials]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(f"two trials are called {twice}")
    for trial in trials:
        _check_same(trial, folder)
    options = TrainOptions(replace(session, runs=folder), config_folder=config_folder, report=False)
    of_main_thread = threading.current_thread() is threading.main_thread()
    with stop_wish() if of_main_thread else nullcontext(StopWish()) as stop:
        for number, trial in enumerate(trials):
            yield Advance("trainings", number, len(trials))
            run = Run(folder / trial.name)
            reused = (run.path / "run.json").exists() and run.record.outcome.status in ENDED
            if not reused:
                write_whole(folder / f"{trial.name}.yaml", trial.config.as_yaml())
                yield from _training(trial, run, options, stop)
                if stop:
                    raise KeyboardInterrupt
                run = Run(run.path)
            yield Trained(trial, run, reused)
        yield Advance("trainings", len(trials), len(trials))


def _training(trial: Trial, run: Run, options: TrainOptions, stop: StopWish) -> Iterator[Advance]:
    """Train it, from where it stands; a loss that diverged ends it like any other end."""
    begun = run.path.exists() and not can_start_over(run.path)
    events = resume(run, (), options, stop) if begun else train(trial.config, replace(options, name=trial.name), stop)
    total = 0
    try:
        for event in events:
            if isinstance(event, Started):
                total = event.steps_per_epoch * event.epochs
            elif isinstance(event, StepDone):
                yield Advance(trial.name, event.step, max(total, event.step))
    except WorkError:
        if Run(run.path).record.outcome.status != "diverged":
            raise


def _check_same(trial: Trial, folder: Path) -> None:
    """Refuse a trial that the folder holds with another config."""
    path = folder / f"{trial.name}.yaml"
    if not path.exists():
        return
    difference = first_difference(as_python(load(path)), as_python(parse(trial.config.as_yaml(), trial.name)))
    if difference is not None:
        key, there, asked = difference
        raise RequestError(
            f"{path}: was trained with {key} {there}, and now it is {asked}; choose another folder, or remove that one"
        )
