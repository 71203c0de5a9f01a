"""`cnnlab train`: from a config, or from where a run stopped, to a trained network with its report."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from cnnlab.config import Config, check_config, checked_name
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.yaml import parse
from cnnlab.models.build import parameter_count
from cnnlab.runs.folder import Run
from cnnlab.runs.record import RunRecord, new_record
from cnnlab.runs.writer import RunWriter, free_name
from cnnlab.training.checkpoints import load_state
from cnnlab.workflows.interruption import StopWish
from cnnlab.workflows.pictures import check_unchanged, fixed_sample, training_pictures
from cnnlab.workflows.sitting import TrainOptions, sit
from cnnlab.workflows.training_events import TrainingEvent
from cnnlab.workflows.training_session import TrainingSession, training_session

CHANGEABLE = ("training.epochs", "training.evaluation_batch_size", "training.compile", "logging.", "early_stopping")
"""What may differ in a resumed run; anything else would make it another run."""

UNREPORTED = ("running", "interrupted", "failed")
"""A run in one of these states may have done all its epochs and still lack its report."""


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
    writer = RunWriter.create(options.runs / name, _record(name, session, options), kept.as_yaml(), plugins)
    yield from sit(session, writer, options, stop)


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
    yield from sit(session, writer, options, stop)


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
        record = _record(config.name, session, options)
        writer = RunWriter.create(Path(folder) / config.name, record, config.as_yaml())
        yield from sit(session, writer, replace(options, time_budget=None, stop_after=None), stop)
        saved = load_state(writer.path / "checkpoints" / "last.pt", options.device)
        for name, tensor in session.network.state_dict().items():
            if not torch.equal(saved["model"][name], tensor):
                raise WorkError(f"the checkpoint does not read back: {name} differs")
        try:
            session.state.load_state_dict(saved)
        except RequestError as error:
            raise WorkError(f"the checkpoint does not read back: {error}") from error


def _record(name: str, session: TrainingSession, options: TrainOptions) -> RunRecord:
    return new_record(
        name=name,
        command=options.command,
        seed=session.config.seed,
        device=str(options.device),
        parameters=parameter_count(session.network),
        data=session.pictures.facts(),
    )
