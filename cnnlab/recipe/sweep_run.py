"""`cnnlab sweep`: trials of a study, each an ordinary run, until there are as many as were asked for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

from cnnlab.config.config import Config, checked_name
from cnnlab.core.advance import Advance
from cnnlab.core.errors import CnnlabError, RequestError, WorkError
from cnnlab.core.files import write_whole
from cnnlab.core.yaml import as_python, parse
from cnnlab.network.session import Session
from cnnlab.recipe.importances import importances
from cnnlab.recipe.space import Dimension, config_at, space_of
from cnnlab.recipe.study import RUN, STATUS, SharedStudy, optuna_here
from cnnlab.recipe.sweep_facts import Axis, Sweep, SweptTrial
from cnnlab.recipe.variants import MakesConfig
from cnnlab.runs.folder import Run, can_start_over
from cnnlab.training.events import StopWish, TrainingEvent, stop_wish
from cnnlab.training.loop import TrainOptions
from cnnlab.training.report import EpochRow
from cnnlab.training.report_files import epoch_rows
from cnnlab.training.run import resume, train
from cnnlab.training.trials import ENDED

FINISHED = ("COMPLETE", "PRUNED")


@dataclass(frozen=True)
class SweepOptions:
    """What is searched, and how."""

    space: Sequence[str]
    """`KEY=RANGE` for each key."""
    trials: int = 20
    """As many are to be in the study, those of all its workers together."""
    sampler: str = "tpe"
    pruner: str = "median"
    storage: str | None = None
    """A journal's file or a database URL; a journal in the folder of the study by default."""
    name: str | None = None
    """Of the study; the config's by default."""


@dataclass(frozen=True)
class PreparedSweep:
    """A sweep that can be made."""

    make: MakesConfig
    base: Config
    space: tuple[Dimension, ...]
    options: SweepOptions
    study: SharedStudy
    name: str
    folder: Path
    config_folder: Path

    @property
    def trainings(self) -> Path:
        """The folder of the runs."""
        return self.folder / "trials"


def prepared_sweep(
    make: MakesConfig, options: SweepOptions, session: Session, *, out: Path | None, config_folder: Path
) -> PreparedSweep:
    """The sweep, checked, with its study opened.

    Arguments:
        make: the config from changes.
        options: what is searched.
        session: where runs lie; its seed is the sampler's.
        out: the folder of the study, in place of `runs/sweep/NAME`.
        config_folder: at which relative paths of the config start.

    Raises:
        RequestError: without Optuna, for an empty space or a bad range, a config without a validation part, and a
            study of another config, space or seed.
        ConfigError: for a key or a value that the config does not take.
    """
    base = make(())
    optuna_here()
    space = space_of(options.space, make)
    if options.trials < 1:
        raise RequestError(f"`trials` is {options.trials}, expected 1 or more")
    if base.data.validation == 0 and "validation" not in base.data.dataset.options:
        raise RequestError("a sweep chooses by the validation part, and there is none; set data.validation above 0")
    _ = session.device
    try:
        name = checked_name(options.name or base.name)
    except ValueError as error:
        raise RequestError(f"`name`: {error}") from None
    folder = session.folder("sweep", out=out, without_run=f"sweep/{name}")
    study = SharedStudy.opened(
        name,
        folder,
        storage=options.storage,
        facts={"config": _plain(base), "space": {one.key: one.text for one in space}, "seed": session.seed},
        sampler=options.sampler,
        pruner=options.pruner,
        seed=session.seed,
    )
    return PreparedSweep(make, base, space, options, study, name, folder, config_folder)


def _plain(config: Config) -> Any:
    """The config as plain data, without its name: that of a study may be another."""
    found = as_python(parse(config.as_yaml(), "config"))
    del found["name"]
    return found


def sweep(asked: PreparedSweep, session: Session) -> Iterator[Advance | Sweep]:
    """Work on the study until it has as many trials as were asked for; others may work on it at the same time.

    Arguments:
        asked: of `prepared_sweep`.
        session: device, data, trust.

    Yields:
        How many trials are finished; at last the study as it stands.

    Raises:
        RequestError, WorkError: what ended a training, but not a loss that diverged, which counts as an outcome.
        KeyboardInterrupt: after Ctrl-C; the trial is queued again, and its run goes on with the next call.
    """
    study, total = asked.study, asked.options.trials
    main = current_thread() is main_thread()
    with study.at_work(), stop_wish() if main else nullcontext(StopWish()) as stop:
        while True:
            study.take_up_dead()
            yield Advance("trials", min(study.count(*FINISHED), total), total)
            if study.count(*FINISHED, "RUNNING") >= total:
                break
            trial = study.ask()
            with _not_lost(study, trial):
                yield from _trial(asked, trial, session, stop)
    yield swept(asked)


@contextmanager
def _not_lost(study: SharedStudy, trial: Any) -> Iterator[None]:
    """What ends a training before its time: an error closes the trial, anything else queues it again."""
    try:
        yield
    except CnnlabError as error:
        trial.set_user_attr(STATUS, str(error))
        study.study.tell(trial, state=optuna_here().trial.TrialState.FAIL)
        raise
    except BaseException:
        study.queue_again(trial)
        raise


def _trial(asked: PreparedSweep, trial: Any, session: Session, stop: StopWish) -> Iterator[Advance]:
    """Train one trial, from where its run stands; what Optuna prunes ends with its epoch."""
    optuna = optuna_here()
    values = {one.key: one.suggest(trial) for one in asked.space}
    name = trial.user_attrs[RUN]
    config = config_at(asked.make, values).model_copy(update={"name": name})
    path, pruning = asked.trainings / name, StopWish()
    best, done = 0.0, 0

    def report(row: EpochRow) -> None:
        nonlocal best
        if row.val_accuracy is not None:
            best = max(best, row.val_accuracy)
            trial.report(row.val_accuracy, row.epoch)
            if row.epoch < config.training.epochs and trial.should_prune():
                pruning.signal = 1

    begun = path.exists() and not can_start_over(path)
    for row in epoch_rows(Run(path)) if begun else ():
        report(row)
        done = row.epoch
    if not pruning and not (begun and Run(path).record.outcome.status in ENDED):
        options = TrainOptions(
            session.writing_to(asked.trainings), config_folder=asked.config_folder, report=False, name=name
        )
        wish = _Either(stop, pruning)
        events: Iterator[TrainingEvent] = (
            resume(Run(path), (), options, wish) if begun else train(config, options, wish)  # type: ignore[arg-type]
        )
        try:
            for event in events:
                if isinstance(event, EpochRow) and event.epoch > done:
                    report(event)
                    yield Advance(f"epochs of {name}", event.epoch, config.training.epochs)
        except WorkError:
            if Run(path).record.outcome.status != "diverged":
                raise
    status = Run(path).record.outcome.status
    if stop and not pruning and status not in ENDED:
        raise KeyboardInterrupt
    trial.set_user_attr(STATUS, status)
    if pruning:
        asked.study.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        asked.study.study.tell(trial, best)
    if stop:
        raise KeyboardInterrupt


class _Either:
    """A wish to stop that is one of two."""

    def __init__(self, *wishes: StopWish) -> None:
        self._wishes = wishes

    def __bool__(self) -> bool:
        return any(self._wishes)


def swept(asked: PreparedSweep) -> Sweep:
    """The study as it stands; the config of the best trial is written beside its page.

    Arguments:
        asked: of `prepared_sweep`.
    """
    study = asked.study.study
    trials = []
    for one in study.get_trials(deepcopy=False):
        if one.state.name == "FAIL" and STATUS not in one.user_attrs:
            continue  # its values were queued again
        reported = [value for value in one.intermediate_values.values() if value == value]
        accuracy = one.value if one.value is not None else max(reported, default=None)
        run = one.user_attrs.get(RUN, "")
        values = {axis.key: one.params.get(axis.key) for axis in asked.space}
        epochs = max(one.intermediate_values, default=0)
        trials.append(SweptTrial(one.number, run, one.state.name.lower(), accuracy, epochs, values))
    axes = tuple(Axis(one.key, one.text, one.is_log, one.ends if one.is_choice else ()) for one in asked.space)
    found, method = importances(study, [axis.key for axis in axes])
    facts = Sweep(asked.name, asked.base.name, axes, tuple(trials), found, method)
    if facts.best is None:
        return facts
    best = config_at(asked.make, dict(facts.best.values)).model_copy(update={"name": f"{asked.name}-best"[:100]})
    path = asked.folder / "best.yaml"
    write_whole(path, best.as_yaml())
    return replace(facts, best_config=str(path))
