"""The loop of a training: from its set-up and a run's folder to the last epoch and its report, or the wish to stop."""

import math
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cnnlab.core.errors import WorkError, WriteError
from cnnlab.fit.device import choose_device, deterministic
from cnnlab.fit.fit import DivergenceError, StepDone
from cnnlab.network.session import Session
from cnnlab.runs.events import EventLog
from cnnlab.runs.folder import Run
from cnnlab.runs.images import origins
from cnnlab.runs.lock import give_room
from cnnlab.runs.record import Status
from cnnlab.runs.writer import RunWriter
from cnnlab.training.course import Ended, EpochClosed, course, too_little_memory
from cnnlab.training.events import Finished, Started, StopWish, TrainingEvent
from cnnlab.training.proxy import with_choices
from cnnlab.training.report_files import MakesSection, epoch_rows, point_of, write_training_report
from cnnlab.training.setup import TrainingSetup
from cnnlab.training.views import MakesObserver, Observer

STEP_CURVES = ("train/step_loss", "lr", "gradient_norm")


@dataclass(frozen=True)
class TrainOptions:
    """What whoever trains adds to a config."""

    session: Session
    """Where runs and data lie, on which device, and whether plugins may be run; the seed is the config's."""
    name: str | None = None
    stop_after: int | None = None
    """Epochs after which to pause; the schedule still spans them all."""
    command: Sequence[str] = ()
    config_folder: Path = field(default_factory=Path)
    """The folder at which relative paths of plugins start."""
    remarks: tuple[str, ...] = ()
    """What is to be said when it starts."""
    threads: int | None = None
    """Threads that were asked for; torch's choice without."""
    stretch_schedule: bool = False
    """Whether a resumed run may leave the curve of its learning rate, because its length has changed."""
    report: bool = True
    """Whether the page with its figures is written."""
    validation_section: MakesSection | None = None
    """Makes what the page says of the validation part beside the curves."""
    observers: Sequence[MakesObserver] = ()
    """Who watches it, and draws in TensorBoard, beside the curves, what `logging` in the config asks for."""
    began: float = field(default_factory=time.perf_counter)
    """When the process started, by `time.perf_counter`."""


def training_loop(
    setup: TrainingSetup, writer: RunWriter, options: TrainOptions, stop: StopWish | bool
) -> Iterator[TrainingEvent]:
    """Train from where the set-up stands: steps, validation after each epoch, checkpoints, the report.

    Raises: WorkError when training fails, which the run records.
    """
    progress, config = setup.state.progress, setup.config
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
    yield _started(setup, writer, options)
    status: Status = "failed"
    ended = False
    diagnosis, report, chosen = None, None, None
    try:
        with _event_log(setup, writer) as events, deterministic(config.training.deterministic):
            observers = [make(setup, events) for make in options.observers]
            for observer in observers:
                observer.at_start()
            chosen = yield from with_choices(setup, writer, stop)
            facts = course(chosen, stop, stop_after=options.stop_after) if chosen else [Ended("interrupted")]
            for fact in facts:
                if isinstance(fact, StepDone):
                    if _is_recorded(fact, setup):
                        _record_step(fact, writer, events)
                    yield fact
                elif isinstance(fact, EpochClosed):
                    _write_epoch(fact, setup, writer, events, observers)
                    rows.append(fact.row)
                    note("running")
                    yield fact.row
                else:
                    status = fact.status
                    if fact.within_epoch:
                        events.flush()
                        writer.save_state(setup.state.state_dict())
            if rows and status != "interrupted":
                diagnosis, report = write_training_report(
                    setup,
                    writer,
                    events,
                    rows,
                    wall(),
                    page=options.report,
                    validation_section=options.validation_section,
                )
        ended = True
    except WorkError as error:
        give_room(writer.path)
        with suppress(WriteError):  # on a full disk there may be too little all the same
            note("diverged" if isinstance(error, DivergenceError) else "failed", message=str(error))
        raise
    except torch.OutOfMemoryError as error:
        message = too_little_memory(setup)
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
        resume_command=resume_command(writer.path, options),
        proxy_seconds=chosen.choices.seconds if chosen and chosen.choices else None,
    )


def _event_log(setup: TrainingSetup, writer: RunWriter) -> EventLog:
    """TensorBoard's events, without those that will be made again."""
    step = setup.state.progress.step
    if setup.state.progress.batch < setup.batches.steps:
        return EventLog(writer.events, step=step or None)
    # Stopped between an epoch's last step and its end: the events of that end carry the number of the step.
    events = EventLog(writer.events, step=step - 1)
    for point in Run(writer.path).metrics():
        if point.get("step") == step and point.get("kind") == "step":
            values = {name: point.get(name) for name in STEP_CURVES}
            events.scalars({name: value for name, value in values.items() if isinstance(value, int | float)}, step)
    return events


def resume_command(path: Path, options: TrainOptions) -> str:
    """What goes on with the run in `path` as it began."""
    session = options.session
    words = [*session.ranks.launcher, "cnnlab", "train", "--resume", str(path)]
    words += ["--allow-plugins"] if session.allow_plugins else []
    words += [] if session.data is None else ["--data", str(session.data)]
    usual = session.ranks.device(choose_device("auto"))
    words += [] if session.device == usual else ["--device", str(session.device)]
    words += [f"--threads={options.threads}"] if options.threads else []
    words += [] if options.report else ["--no-report"]
    return shlex.join(words)


def _started(setup: TrainingSetup, writer: RunWriter, options: TrainOptions) -> Started:
    facts, budget = setup.images.facts(), setup.config.training.time_budget
    return Started(
        run=writer.path.name,
        path=writer.path,
        parameters=writer.record.parameters,
        train=facts.train,
        validation=facts.validation,
        steps_per_epoch=-(-setup.batches.steps // setup.config.training.accumulate),
        epochs=setup.config.training.epochs,
        device=f"{options.session.device}{options.session.ranks.words}",
        resumed_from=setup.state.progress.epoch,
        seconds_left=None if budget is None else max(0.0, budget - setup.state.progress.elapsed),
        groups=tuple(
            f"{len(group['names'])} tensors: lr {group['lr_base']:g}, weight decay {group['weight_decay']:g}"
            + setup.state.terms.told(number)
            for number, group in enumerate(setup.state.optimizer.param_groups)
        ),
        skipped=facts.skipped,
        origins=origins(facts.places, setup.config.data),
        chooses=setup.proxy is not None and setup.choices is None,
        remarks=(*options.remarks, *setup.remarks, *setup.images.remarks, *setup.batches.remarks),
    )


def _is_recorded(fact: StepDone, setup: TrainingSetup) -> bool:
    """Every so many steps, and the last one of an epoch that would have no point otherwise."""
    every = setup.config.logging.every_steps
    first = fact.step - math.ceil(fact.batch / setup.config.training.accumulate)
    last = fact.batch >= setup.batches.steps
    return fact.step % every == 0 or (last and fact.step // every == first // every)


def _record_step(fact: StepDone, writer: RunWriter, events: EventLog) -> None:
    values = dict(zip(STEP_CURVES, (float(fact.loss), fact.lr, float(fact.gradient_norm)), strict=True))
    writer.add({"kind": "step", "step": fact.step, "epoch": fact.epoch, **values})
    events.scalars(values, fact.step)


def _write_epoch(
    closed: EpochClosed, setup: TrainingSetup, writer: RunWriter, events: EventLog, observers: Sequence[Observer]
) -> None:
    """Write point, events and checkpoints; in this order, so that a kill loses nothing."""
    fact = closed.fact
    point = point_of(closed.row)
    cut = {"share": fact.share} if fact.share < 1 else {}
    told = {"kind": "epoch", "step": fact.step, "epoch": fact.epoch, "lr": fact.lr, "seconds": fact.seconds, **cut}
    writer.add(told | point)
    events.scalars({**point, "epoch": float(fact.epoch)}, fact.step)
    for observer in observers:
        observer.after_epoch(fact)
    events.flush()
    weights = setup.state.evaluated_model.state_dict()
    facts = {"epoch": fact.epoch, "val_accuracy": closed.row.val_accuracy}
    if closed.best:
        writer.save_weights("best", weights, facts)
    writer.save_weights("last", weights, facts)
    every = setup.config.logging.snapshots_every_epochs
    if every and fact.epoch % every == 0:
        writer.save_snapshot(fact.epoch, weights, facts)
    writer.save_state(setup.state.state_dict())
