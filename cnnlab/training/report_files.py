"""What is measured after each epoch, and the report at the end of a training."""

import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from pydantic import TypeAdapter, ValidationError

from cnnlab.core import memory as collector
from cnnlab.core.errors import RequestError
from cnnlab.core.problems import first_fault
from cnnlab.data.dataset import Dataset
from cnnlab.fit.fit import ADVICE, DivergenceError, EpochDone, first_non_finite
from cnnlab.fit.optimizers.rates import every_option
from cnnlab.models.undisturbed import undisturbed
from cnnlab.runs.events import EventLog
from cnnlab.runs.folder import Run
from cnnlab.runs.writer import RunWriter
from cnnlab.training.overfitting import Diagnosis, diagnose
from cnnlab.training.report import EpochRow, StepRow, learning_curves, training_contribution
from cnnlab.training.setup import TrainingSetup
from cnnlab.view.contribution import Contribution, composed

ROW = TypeAdapter(EpochRow)

MakesSection = Callable[[TrainingSetup, Run], Contribution]
"""Adds to the page of a run that has been trained with a validation part."""


def epoch_row(fact: EpochDone, setup: TrainingSetup) -> EpochRow:
    """The epoch's training facts with clean training accuracy and validation beside them.

    Raises: DivergenceError when a loss is not finite: an epoch's last step can break the network, too.
    """
    validation = setup.images.validation
    scores = setup.evaluate_together(validation) if validation else None
    clean = setup.evaluate_together(setup.clean) if setup.config.training.clean_train_pictures else None
    for name, images, found in (("validation", validation, scores), ("clean training", setup.clean, clean)):
        if images and found and not math.isfinite(found.loss):
            _raise_diverged(name, images, found.loss, fact, setup)
    return EpochRow(
        epoch=fact.epoch,
        train_loss=fact.loss,
        train_accuracy=fact.accuracy,
        clean_train_accuracy=clean.accuracy if clean else None,
        val_loss=scores.loss if scores else None,
        val_accuracy=scores.accuracy if scores else None,
        lr=fact.lr,
        seconds=fact.seconds,
        images_per_second=fact.images_per_second,
        share=fact.share,
    )


def _raise_diverged(name: str, dataset: Dataset, loss: float, fact: EpochDone, setup: TrainingSetup) -> NoReturn:
    batches = setup.batches_of(dataset)
    model, precision = setup.state.evaluated_model, setup.precision
    with undisturbed(model):
        where = first_non_finite(model, (batch.images for batch in batches), precision=precision)
    raise DivergenceError(
        f"the {name} loss is {loss} after step {fact.step} (epoch {fact.epoch}) with learning rate {fact.lr:.4g}: "
        f"{where}. {ADVICE}"
    )


CURVES = {
    "train_loss": "train/loss",
    "train_accuracy": "train/accuracy",
    "clean_train_accuracy": "train/clean_accuracy",
    "val_loss": "validation/loss",
    "val_accuracy": "validation/accuracy",
    "images_per_second": "images_per_second",
}
"""The fields of a row that are points of curves, and the curves' names in TensorBoard and `metrics.jsonl`."""


def point_of(row: EpochRow) -> dict[str, float | None]:
    """The curves that a row is a point of, by their names."""
    return {curve: getattr(row, field) for field, curve in CURVES.items()}


def epoch_rows(run: Run) -> list[EpochRow]:
    """The rows that the epochs of `metrics.jsonl` were written from.

    Raises: RequestError when one of them is damaged.
    """
    rows = []
    for number, point in enumerate(run.epochs(), 1):
        try:
            told = {field: point[curve] for field, curve in CURVES.items() if curve in point}
            rows.append(ROW.validate_python(point | told))
        except ValidationError as error:
            path = run.path / "metrics.jsonl"
            raise RequestError(f"{path}: damaged: the point of epoch {number}: {first_fault(error)}") from None
    return rows


def step_rows(run: Run) -> list[StepRow]:
    """The recorded steps of the finished epochs, in their order; those without finite numbers are left out.

    Raises: RequestError when `metrics.jsonl` is damaged.
    """
    points = run.metrics()
    done = [point for point in points if point.get("kind") == "epoch"]
    ends = {point["epoch"]: point["step"] for point in done}
    shares = {point["epoch"]: share for point in done if isinstance(share := point.get("share"), float)}
    rows = []
    for point in points:
        epoch, loss, lr = point.get("epoch"), point.get("train/step_loss"), point.get("lr")
        if point.get("kind") != "step" or epoch is None or epoch not in ends:
            continue
        if not (isinstance(loss, int | float) and math.isfinite(loss) and isinstance(lr, int | float)):
            continue
        begun = ends.get(epoch - 1, 0)
        part = shares.get(epoch, 1.0) * (point["step"] - begun) / max(ends[epoch] - begun, 1)
        rows.append(StepRow(epoch - 1 + part, loss, lr))
    return rows


def write_training_report(
    setup: TrainingSetup,
    writer: RunWriter,
    events: EventLog,
    rows: Sequence[EpochRow],
    wall_seconds: float,
    *,
    page: bool = True,
    validation_section: MakesSection | None = None,
) -> tuple[Diagnosis | None, Path | None]:
    """Diagnose, fill in TensorBoard's table of runs; with `page`, draw the curves, too.

    validation_section: makes what the page says of the validation part, where there is one.

    Returns the diagnosis (None without validation) and the page's path.
    """
    validation = setup.images.validation
    diagnosis = diagnose(learning_curves(rows, validation_images=len(validation))) if validation else None
    _hyperparameters(setup, events, rows)
    if not page:
        return diagnosis, None
    with collector.spared():  # imported here: a training without a report needs no matplotlib
        from cnnlab.view import files
        from cnnlab.view import tensorboard as events_of

    parts = [
        training_contribution(
            rows,
            diagnosis,
            train_seconds=setup.state.progress.seconds,
            wall_seconds=wall_seconds,
            config=shlex.quote(str(writer.path / "config.yaml")),
            record=writer.record,
            steps=step_rows(Run(writer.path)),
        )
    ]
    if validation and validation_section:
        parts.append(validation_section(setup, Run(writer.path)))
    whole = f"cnnlab report {shlex.quote(str(writer.path))}"
    report = composed(f"Training of {writer.path.name}", parts, lead=_lead(setup, writer), command=whole)
    saved = files.save(report, writer.reports)
    events_of.write(report, events, setup.state.progress.step, prefix="report", drawn=saved.drawn)
    return diagnosis, saved.page


def _lead(setup: TrainingSetup, writer: RunWriter) -> str:
    data, record = setup.images.facts(), writer.record
    return (
        f"{data.train:,} training and {data.validation:,} validation images of {data.name}, on {record.device}. "
        f"To repeat it: cnnlab train {shlex.quote(str(writer.path / 'config.yaml'))}"
    )


def _hyperparameters(setup: TrainingSetup, events: EventLog, rows: Sequence[EpochRow]) -> None:
    """TensorBoard's table of runs: what was set, and what came of it."""
    config, progress = setup.config, setup.state.progress
    values: dict[str, str | float | bool] = {
        "data": setup.images.train.name,
        "epochs": config.training.epochs,
        "batch_size": config.training.batch_size,
        "optimizer": config.optimizer.name,
        "schedule": config.schedule.name,
        "seed": config.seed,
    }
    for name, value in every_option(config.optimizer):
        if isinstance(value, bool | int | float | str):
            values[name] = value
    metrics = {"final/train_loss": rows[-1].train_loss, "final/train_seconds": progress.seconds}
    if progress.best_metric is not None:
        metrics["final/best_validation_accuracy"] = progress.best_metric
    events.hyperparameters(values, metrics, step=progress.step)
