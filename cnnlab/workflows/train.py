"""`cnnlab train`: from a config, or from where a run stopped, to a trained network with its report."""

import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from cnnlab.analysis.overfitting import Diagnosis
from cnnlab.config import Config, check_config, checked_name
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.located import parse
from cnnlab.data.dataset import DataPlace
from cnnlab.models.build import parameter_count
from cnnlab.reports.training import EpochRow
from cnnlab.runs.events import EventLog
from cnnlab.runs.folder import Run
from cnnlab.runs.record import Status, new_record
from cnnlab.runs.writer import RunWriter, free_name
from cnnlab.training.checkpoints import load_state
from cnnlab.training.device import choose_device, deterministic
from cnnlab.training.divergence import DivergenceError
from cnnlab.training.fit import EpochDone, StepDone, fit
from cnnlab.workflows.interruption import StopWish
from cnnlab.workflows.pictures import check_unchanged, fixed_sample, training_pictures
from cnnlab.workflows.training_report import epoch_row, epoch_rows, point_of, write_report
from cnnlab.workflows.training_session import TrainingSession, training_session
from cnnlab.workflows.training_views import TrainingViews

CHANGEABLE = ("training.epochs", "training.evaluation_batch_size", "training.compile", "logging.", "early_stopping")
"""What may differ in a resumed run; anything else would make it another run."""


STEP_CURVES = ("train/step_loss", "lr", "gradient_norm")

UNREPORTED = ("running", "interrupted", "failed")
"""A run in one of these states may have done all its epochs and still lack its report."""


@dataclass(frozen=True)
class TrainOptions:
    """What the command line adds to a config."""

    runs: Path
    device: torch.device
    place: DataPlace
    name: str | None = None
    time_budget: float | None = None
    """Seconds of training and validation, after which the schedule has run out."""
    stop_after: int | None = None
    """Epochs after which to pause; the schedule still spans them all."""
    command: Sequence[str] = ()
    config_folder: Path = field(default_factory=Path)
    """Where relative paths of plugins start."""
    allow_plugins: bool = False
    began: float = field(default_factory=time.perf_counter)
    """When the process started, by `time.perf_counter`."""


@dataclass(frozen=True)
class Started:
    """Before the first step."""

    run: str
    path: Path
    parameters: int
    train: int
    validation: int
    steps_per_epoch: int
    epochs: int
    device: str
    resumed_from: int
    """The epoch that training goes on after; 0 for a new run."""
    groups: tuple[str, ...]
    """A sentence for each parameter group."""
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Finished:
    """After the last step, the report written."""

    run: str
    path: Path
    status: Status
    epochs: int
    val_accuracy: float | None
    best_epoch: int
    train_seconds: float
    wall_seconds: float
    diagnosis: Diagnosis | None
    report: Path | None
    resume_command: str
    """What goes on with it."""

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "run": str(self.path),
            "epochs": self.epochs,
            "val_accuracy": self.val_accuracy,
            "train_seconds": round(self.train_seconds, 3),
            "wall_seconds": round(self.wall_seconds, 3),
            "status": self.status,
            "best_epoch": self.best_epoch,
            "verdict": self.diagnosis.verdict if self.diagnosis else None,
            "report": str(self.report) if self.report else None,
        }


TrainingEvent = Started | StepDone | EpochRow | Finished


def train(config: Config, options: TrainOptions, stop: StopWish) -> Iterator[TrainingEvent]:
    """Train a new run.

    Raises: RequestError before anything is written; WorkError when training fails, which the run records.
    """
    try:
        name = checked_name(options.name) if options.name is not None else free_name(options.runs, config.name)
    except ValueError as error:
        raise RequestError(f"--name: {error}") from None
    if (options.runs / name).exists():
        raise RequestError(f"the run {options.runs / name} exists; choose another --name, or --resume it")
    session = training_session(config, options.place, options.device)
    plugins = [(options.config_folder / plugin).resolve() for plugin in config.plugins]
    kept = config.model_copy(update={"name": name, "plugins": [f"plugins/{path.name}" for path in plugins]})
    record = new_record(
        name=name,
        command=options.command,
        seed=config.seed,
        device=str(options.device),
        parameters=parameter_count(session.network),
        data=session.pictures.facts(),
    )
    writer = RunWriter.create(options.runs / name, record, kept.as_yaml(), plugins)
    yield from _run(session, writer, options, stop)


def resume(run: Run, overrides: Sequence[str], options: TrainOptions, stop: StopWish) -> Iterator[TrainingEvent]:
    """Go on with a run from its last checkpoint, to the bit as if it had never stopped.

    Raises: RequestError when there is nothing to resume, or `overrides` would make it another run.
    """
    config = resumed_config(run, overrides, allow_plugins=options.allow_plugins)
    if not run.last_state.exists():
        raise RequestError(f"the run {run.name} stopped before its first checkpoint; train it anew")
    saved = load_state(run.last_state, options.device)
    session = training_session(config, options.place, options.device)
    check_unchanged(run, session.pictures)
    try:
        session.state.load_state_dict(saved)
    except RequestError as error:
        raise RequestError(f"{run.last_state}: {error}") from None
    progress = session.state.progress
    if progress.epoch >= config.training.epochs and run.record.outcome.status not in UNREPORTED:
        raise RequestError(
            f"the run {run.name} has done its {progress.epoch} epochs; training.epochs={progress.epoch * 2} extends it"
        )
    writer = RunWriter.resume(run, step=progress.step, epoch=progress.epoch, config_yaml=config.as_yaml())
    yield from _run(session, writer, options, stop)


def resumed_config(run: Run, overrides: Sequence[str], *, allow_plugins: bool) -> Config:
    """The run's config with `overrides`, which may only touch what leaves it the same run."""
    for override in overrides:
        key = override.partition("=")[0]
        if not key.startswith(CHANGEABLE):
            raise RequestError(
                f"'{override}' would make it another run; a resumed run may change {', '.join(CHANGEABLE)}"
            )
    kept = run.config(allow_plugins=allow_plugins).as_yaml()
    tree = parse(kept, str(run.path / "config.yaml"))
    return check_config(tree, overrides, default_name=run.name, base=run.path, allow_plugins=allow_plugins)


def dry_run(config: Config, options: TrainOptions, stop: StopWish) -> Iterator[TrainingEvent]:
    """All of it on two batches, in a folder that is removed: checkpoint written, read back and compared.

    Raises: WorkError when the checkpoint does not read back to the same state.
    """
    pictures = training_pictures(config, options.place)
    few = 2 * config.training.batch_size
    validation = pictures.validation
    pictures = replace(
        pictures,
        train=fixed_sample(pictures.train, few, config.seed, "dry run"),
        validation=fixed_sample(validation, few, config.seed, "dry run") if validation else None,
    )
    session = training_session(config, options.place, options.device, pictures=pictures)
    one_epoch = config.training.model_copy(update={"epochs": 1})
    watched = config.logging.model_copy(update={"histograms_every_epochs": 1, "every_steps": 1})
    session = replace(session, config=config.model_copy(update={"training": one_epoch, "logging": watched}))
    with tempfile.TemporaryDirectory(prefix="cnnlab-dry-run-") as folder:
        record = new_record(
            name=config.name,
            command=options.command,
            seed=config.seed,
            device=str(options.device),
            parameters=parameter_count(session.network),
            data=pictures.facts(),
        )
        writer = RunWriter.create(Path(folder) / config.name, record, config.as_yaml())
        yield from _run(session, writer, replace(options, time_budget=None, stop_after=None), stop)
        saved = load_state(writer.path / "checkpoints" / "last.pt", options.device)
        for name, tensor in session.network.state_dict().items():
            if not torch.equal(saved["model"][name], tensor):
                raise WorkError(f"the checkpoint does not read back: {name} differs")
        try:
            session.state.load_state_dict(saved)
        except RequestError as error:
            raise WorkError(f"the checkpoint does not read back: {error}") from error


def _run(session: TrainingSession, writer: RunWriter, options: TrainOptions, stop: StopWish) -> Iterator[TrainingEvent]:
    """The sitting: steps, validation after each epoch, checkpoints, the report."""
    progress, config = session.state.progress, session.config
    wall_before = writer.record.outcome.wall_seconds

    def wall() -> float:
        return wall_before + time.perf_counter() - options.began

    def note(status: Status, **changes: Any) -> None:
        writer.outcome(
            status=status,
            epochs=progress.epoch,
            step=progress.step,
            val_accuracy=progress.best_metric,
            best_epoch=progress.best_epoch,
            train_seconds=progress.seconds,
            wall_seconds=wall(),
            **changes,
        )

    note("running", message=None)
    rows = epoch_rows(Run(writer.path))
    yield _started(session, writer, options)
    status: Status = "failed"
    ended = False
    diagnosis, report = None, None
    try:
        with _event_log(session, writer) as events, deterministic(config.training.deterministic):
            views = TrainingViews(session, events)
            views.at_start()
            for fact in fit(
                session.state,
                session.batches,
                loss=session.loss,
                schedule=session.schedule,
                epochs=config.training.epochs,
                clip=session.clip,
                accumulate=config.training.accumulate,
                precision=config.training.precision,
                time_budget=options.time_budget,
                forward=session.forward,
            ):
                if isinstance(fact, StepDone):
                    if fact.step % config.logging.every_steps == 0:
                        _record_step(fact, writer, events)
                    yield fact
                    if stop:
                        status = "interrupted"
                        events.flush()
                        writer.save_state(session.state.state_dict())
                        break
                    continue
                row = _close_epoch(fact, session, writer, events, views)
                rows.append(row)
                note("running")
                yield row
                if progress.epoch >= config.training.epochs:
                    continue
                patience = config.early_stopping.patience if config.early_stopping else None
                if patience and progress.stale_epochs >= patience:
                    status = "stopped-early"
                    break
                if stop:
                    status = "interrupted"
                    break
                if options.stop_after and progress.epoch >= options.stop_after:
                    status = "paused"
                    break
            else:
                status = "finished" if progress.epoch >= config.training.epochs else "out-of-time"
            if rows and status != "interrupted":
                diagnosis, report = write_report(session, writer, events, rows, wall())
        ended = True
    except WorkError as error:
        note("diverged" if isinstance(error, DivergenceError) else "failed", message=str(error))
        raise
    except torch.OutOfMemoryError as error:
        message = (
            f"{options.device} has too little memory for a batch of {config.training.batch_size}; "
            "make training.batch_size smaller (training.accumulate keeps the step's size), or precision bf16"
        )
        note("failed", message=message)
        raise WorkError(message) from error
    finally:
        if writer.record.outcome.status == "running":
            # something else may have ended it: a second Ctrl-C, or an error that nobody expected
            status = status if ended else "interrupted" if stop else "failed"
            note(status, diagnosis=diagnosis.verdict if diagnosis else None)
    yield Finished(
        run=writer.path.name,
        path=writer.path,
        status=status,
        epochs=progress.epoch,
        val_accuracy=progress.best_metric,
        best_epoch=progress.best_epoch,
        train_seconds=progress.seconds,
        wall_seconds=wall(),
        diagnosis=diagnosis,
        report=report,
        resume_command=_resume_command(writer.path, config, options),
    )


def _event_log(session: TrainingSession, writer: RunWriter) -> EventLog:
    """TensorBoard's events, without those that will be made again."""
    step = session.state.progress.step
    if session.state.progress.batch < session.batches.steps:
        return EventLog(writer.events, step=step or None)
    # Stopped between an epoch's last step and its end: the events of that end carry the number of the step.
    events = EventLog(writer.events, step=step - 1)
    for point in Run(writer.path).metrics():
        if point["step"] == step and point["kind"] == "step":
            events.scalars({name: point[name] for name in STEP_CURVES}, step)
    return events


def _resume_command(path: Path, config: Config, options: TrainOptions) -> str:
    words = ["cnnlab", "train", "--resume", str(path)]
    words += ["--allow-plugins"] if config.plugins else []
    words += [] if options.device == choose_device("auto") else ["--device", str(options.device)]
    words += [f"--time-budget={options.time_budget:g}s"] if options.time_budget else []
    return shlex.join(words)


def _started(session: TrainingSession, writer: RunWriter, options: TrainOptions) -> Started:
    facts = session.pictures.facts()
    return Started(
        run=writer.path.name,
        path=writer.path,
        parameters=writer.record.parameters,
        train=facts.train,
        validation=facts.validation,
        steps_per_epoch=-(-session.batches.steps // session.config.training.accumulate),
        epochs=session.config.training.epochs,
        device=str(options.device),
        resumed_from=session.state.progress.epoch,
        groups=tuple(
            f"{len(group['names'])} tensors: lr {group['lr_base']:g}, weight decay {group['weight_decay']:g}"
            for group in session.state.optimizer.param_groups
        ),
        skipped=facts.skipped,
    )


def _record_step(fact: StepDone, writer: RunWriter, events: EventLog) -> None:
    values = dict(zip(STEP_CURVES, (float(fact.loss), fact.lr, float(fact.gradient_norm)), strict=True))
    writer.add({"kind": "step", "step": fact.step, "epoch": fact.epoch, **values})
    events.scalars(values, fact.step)


def _close_epoch(
    fact: EpochDone, session: TrainingSession, writer: RunWriter, events: EventLog, views: TrainingViews
) -> EpochRow:
    """Validate, remember the best, write point, events and checkpoints; in this order, so that a kill loses nothing."""
    progress, pictures = session.state.progress, session.pictures
    row = epoch_row(fact, session)
    metric = row.val_accuracy
    gain = session.config.early_stopping.minimum_gain if session.config.early_stopping else 0.0
    best = metric is not None and (progress.best_metric is None or metric > progress.best_metric)
    enough = metric is not None and (progress.best_metric is None or metric > progress.best_metric + gain)
    progress.stale_epochs = 0 if enough else progress.stale_epochs + 1
    if best or pictures.validation is None:
        progress.best_metric, progress.best_epoch = metric, fact.epoch
    point = point_of(row)
    writer.add(
        {"kind": "epoch", "step": fact.step, "epoch": fact.epoch, "lr": fact.lr, "seconds": fact.seconds, **point}
    )
    events.scalars({**point, "epoch": float(fact.epoch)}, fact.step)
    views.after_epoch(fact)
    events.flush()
    weights, facts = session.state.evaluated_model.state_dict(), {"epoch": fact.epoch, "val_accuracy": metric}
    if best or pictures.validation is None:
        writer.save_weights("best", weights, facts)
    writer.save_weights("last", weights, facts)
    writer.save_state(session.state.state_dict())
    return row
