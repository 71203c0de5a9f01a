"""The trainings that an experiment needs: runs in the experiment's own folder, each done once."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext
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
from cnnlab.training.trial_processes import Job, processes_of

ENDED: tuple[Status, ...] = ("finished", "stopped-early", "out-of-time", "diverged")
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
    def last(self) -> EpochRow | None:
        """Its last epoch; None where its loss diverged, and where it had none."""
        rows = self.rows
        return rows[-1] if rows and self.status != "diverged" else None

    @property
    def val_accuracy(self) -> float | None:
        """Accuracy of its best epoch on the validation part, 0 … 1; None without one."""
        return self.run.record.outcome.val_accuracy


def trained(
    trials: Sequence[Trial], folder: Path, session: Session, *, config_folder: Path = Path(), jobs: int = 1
) -> Generator[Advance | Trained, None, None]:
    """Train each trial as a run `folder/NAME`; what is there already is taken, what was interrupted goes on.

    Ctrl-C ends each training with the step that it is at, and a later call goes on there.

    Arguments:
        trials: of different names.
        folder: of the experiment. Beside each run stands NAME.yaml, the config that was asked for.
        session: device, data, trust; the seeds are those of the configs.
        config_folder: at which relative paths of plugins start.
        jobs: trainings at a time. More than one are trained in processes of their own, which share torch's threads;
            another number of threads gives other last digits.

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
    check_trials(trials, folder)
    if jobs < 1:
        raise RequestError(f"`jobs` is {jobs}, expected 1 or more trainings at a time")
    _ = session.device  # one that is not there is told before anything is written
    options = TrainOptions(session.writing_to(folder), config_folder=config_folder, report=False)
    of_main_thread = threading.current_thread() is threading.main_thread()
    with stop_wish() if of_main_thread else nullcontext(StopWish()) as stop:
        if jobs > 1:
            yield from _side_by_side(trials, options, stop, jobs)
            return
        for number, trial in enumerate(trials):
            yield Advance("trainings", number, len(trials))
            run = there(trial, folder)
            if run is None:
                write_whole(folder / f"{trial.name}.yaml", trial.config.as_yaml())
                yield from training(trial, options, stop)
                if stop:
                    raise KeyboardInterrupt
                yield Trained(trial, Run(folder / trial.name), reused=False)
            else:
                yield Trained(trial, run, reused=True)
        yield Advance("trainings", len(trials), len(trials))


def in_epochs(trials: Sequence[Trial], steps: Generator[Advance | Trained, None, None]) -> Generator[Advance | Trained]:
    """What `trained` yields, with the epochs of all trainings in place of how far each of them is.

    Arguments:
        trials: all of them.
        steps: of `trained`; closed with the result.

    Yields:
        How many epochs are behind, and each `Trained`.
    """
    epochs = {trial.name: trial.config.training.epochs for trial in trials}
    done = dict.fromkeys(epochs, 0.0)
    what, total, last = f"epochs of {len(trials)} trainings", sum(epochs.values()), -1
    with closing(steps):
        for step in steps:
            if isinstance(step, Trained):
                done[step.trial.name] = epochs[step.trial.name]
                yield step
            elif step.what in done:
                done[step.what] = epochs[step.what] * step.done / max(step.total, 1)
            if (now := int(sum(done.values()))) != last:
                last = now
                yield Advance(what, now, total)


def one_by_one(steps: Iterator[Advance | Trained]) -> Iterator[Advance | Trained]:
    """What `trained` yields, with one name for whichever training is under way, so that there is one bar for all.

    Arguments:
        steps: of `trained`.

    Yields:
        How many trainings are behind, how far the present one is, and each `Trained`.
    """
    for step in steps:
        if isinstance(step, Advance) and step.what != "trainings":
            yield replace(step, what="this training")
        else:
            yield step


def quiet(config: Config, *, snapshots: bool = False) -> Config:
    """The config of a training that is measured by its epochs alone: it draws nothing, and no epoch ends it early.

    Arguments:
        config: of the training.
        snapshots: whether the weights of every epoch are kept.
    """
    logging = config.logging.model_copy(
        update={"snapshots_every_epochs": int(snapshots), "histograms_every_epochs": 0}
        | {"effective_field_every_epochs": 0, "pictures": False, "graph": False}
    )
    return config.model_copy(update={"logging": logging, "early_stopping": None})


def check_trials(trials: Sequence[Trial], folder: Path) -> None:
    """Refuse what `trained` would refuse, before anything is trained.

    Arguments:
        trials, folder: as of `trained`.

    Raises:
        RequestError: for two trials of one name, and for a trial that `folder` holds with another config.
    """
    names = [checked_name(trial.name) for trial in trials]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(f"two trials are called {twice}")
    for trial in trials:
        _check_same(trial, folder)


def there(trial: Trial, folder: Path) -> Run | None:
    """The run of a trial that needs no more training; None where it does.

    Arguments:
        trial: of an experiment.
        folder: of the experiment.
    """
    run = Run(folder / trial.name)
    return run if (run.path / "run.json").exists() and run.record.outcome.status in ENDED else None


def training(trial: Trial, options: TrainOptions, stop: StopWish | bool) -> Iterator[Advance]:
    """Train a trial from where it stands; a loss that diverged ends it like any other end.

    Arguments:
        trial: of an experiment.
        options: of the training; the session's runs are the experiment's folder.
        stop: true as soon as it should end with the step that it is at.

    Yields:
        How many of its steps are done.

    Raises:
        RequestError: as `train` and `resume`.
        WorkError: likewise, but not for a loss that diverged.
    """
    path, options = options.session.runs / trial.name, replace(options, began=time.perf_counter())
    begun = path.exists() and not can_start_over(path)
    events = (
        resume(Run(path), (), options, stop) if begun else train(trial.config, replace(options, name=trial.name), stop)
    )
    total = 0
    try:
        for event in events:
            if isinstance(event, Started):
                total = event.steps_per_epoch * event.epochs
            elif isinstance(event, StepDone):
                yield Advance(trial.name, round(event.done * total), total)
    except WorkError:
        if Run(path).record.outcome.status != "diverged":
            raise


def _side_by_side(
    trials: Sequence[Trial], options: TrainOptions, stop: StopWish, jobs: int
) -> Iterator[Advance | Trained]:
    """As `trained`, several at a time; what is done is told in the order of the trials."""
    folder = options.session.runs
    missing = [trial for trial in trials if there(trial, folder) is None]
    for trial in missing:
        write_whole(folder / f"{trial.name}.yaml", trial.config.as_yaml())
    awaited, told = {trial.name for trial in missing}, 0

    def ready() -> Iterator[Advance | Trained]:
        nonlocal told
        yield Advance("trainings", len(trials) - len(awaited), len(trials))
        while told < len(trials) and trials[told].name not in awaited:
            trial = trials[told]
            yield Trained(trial, Run(folder / trial.name), reused=trial not in missing)
            told += 1

    yield from ready()
    for step in processes_of([Job.of(trial.name, options) for trial in missing], jobs, stop):
        if isinstance(step, Advance):
            yield step
        else:
            awaited.remove(step)
            yield from ready()
    if stop:
        raise KeyboardInterrupt


def _check_same(trial: Trial, folder: Path) -> None:
    """Refuse a trial that the folder holds with another config; one that never began holds nothing."""
    path = folder / f"{trial.name}.yaml"
    if not path.exists() or not (folder / trial.name / "run.json").exists():
        return
    difference = first_difference(as_python(load(path)), as_python(parse(trial.config.as_yaml(), trial.name)))
    if difference is not None:
        key, there, asked = difference
        raise RequestError(
            f"{path}: was trained with {key} {there}, and now it is {asked}; choose another folder, or remove that one"
        )
