"""`cnnlab train`: from a config, or from where a run stopped, to a trained network with its report."""

import os
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from cnnlab.config.config import Config, check_config, checked_name
from cnnlab.core.errors import RequestError, WorkError, WriteError
from cnnlab.core.files import refuse_links
from cnnlab.core.yaml import parse
from cnnlab.data.parts import absolute, elsewhere_too
from cnnlab.data.registry import facts_of
from cnnlab.fit.checkpoints import load_state
from cnnlab.models.build import parameter_count
from cnnlab.models.own_model import OwnModel
from cnnlab.runs.folder import CORRECTIONS, Run, can_start_over
from cnnlab.runs.images import check_there, check_unchanged, fixed_sample, relocated, training_images
from cnnlab.runs.lock import training_lock
from cnnlab.runs.record import RunRecord, new_record
from cnnlab.runs.writer import RunWriter, free_name, taken
from cnnlab.training.continuation import arithmetic_remark, continued_record, curve_remark, extension
from cnnlab.training.course import follow
from cnnlab.training.events import Finished, StopWish, TrainingEvent
from cnnlab.training.kept_code import NO_CODE, kept_code
from cnnlab.training.loop import TrainOptions, resume_command, training_loop
from cnnlab.training.proxy import kept_choices
from cnnlab.training.report_files import epoch_rows
from cnnlab.training.setup import TrainingSetup, set_up_training

CHANGEABLE = (
    "training.epochs",
    "training.time_budget",
    "training.evaluation_batch_size",
    "training.compile",
    "logging.",
    "early_stopping",
)
"""What may differ in a resumed run; anything else would make it another run."""

UNREPORTED = ("running", "interrupted", "failed")
"""A run in one of these states may have done all its epochs and still lack its report."""


def train(config: Config, options: TrainOptions, stop: StopWish | bool = False) -> Iterator[TrainingEvent]:
    """Train a new run.

    Arguments:
        config: all that decides what the network becomes.
        options: where it is trained, what the run is called, and when to pause.
        stop: true as soon as the training should end with the step that it is at; it can be resumed.

    Yields:
        `Started`, a `StepDone` after each step of the optimizer, an `EpochRow` after each epoch, and `Finished`; where
        a proxy chooses images, an `Advance` after each of its steps and `ProxyDone` before the first step.

    Raises:
        RequestError: before anything is written.
        WorkError: when training fails, which the run records.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from cnnlab.config import QUICKSTART
        >>> from cnnlab.config.config import read_config
        >>> from cnnlab.network.session import Session
        >>> from cnnlab.training.run import TrainOptions, train
        >>> small = ["data.dataset={shapes: {train_count: 300}}", "training.batch_size=64", "training.epochs=1"]
        >>> session = Session(runs=Path(mkdtemp()), device_name="cpu")
        >>> *_, end = train(read_config(QUICKSTART, small), TrainOptions(session, report=False))
        >>> end.run, end.status, end.epochs
        ('quickstart', 'finished', 1)
    """
    try:
        name = checked_name(options.name) if options.name is not None else None
    except ValueError as error:
        raise RequestError(f"`name`: {error}") from None
    ranks = options.session.ranks
    before = ranks.remembered(_training_key(config))
    if before is not None:
        run = Run(options.session.runs / before)
        if ranks.first(run.last_state.exists()):  # on the machine where it was written
            yield from _gone_on(run, options, stop)
            return
        name = before  # it had come to no checkpoint, so it starts over
    if name is not None and ranks.leads and os.path.lexists(options.session.runs / name):
        check_free(options.session.runs / name)
    setup = set_up_training(config, options.session)
    if not ranks.leads:
        follow(setup, stop, stop_after=options.stop_after)
        return
    plugins = [(options.config_folder / plugin).resolve() for plugin in config.plugins]
    with _claimed(options.session.runs, name, config.name) as (path, remarks):
        ranks.remember(_training_key(config), path.name)
        kept = setup.config.model_copy(
            update={"name": path.name, "plugins": [f"plugins/{file.name}" for file in plugins]}
        )
        code = kept_code(config.model) if isinstance(config.model, OwnModel) else NO_CODE
        if code.model is not None:
            kept = kept.model_copy(update={"model": code.model})
            remarks += (code.remark,)
        if facts_of(config.data.dataset).source == "own":
            said = elsewhere_too(config.written_paths["path"], config.data.dataset.options["path"])
            remarks += (said,) if said else ()
        with _safe(path, options):
            record = _record(path.name, setup, options)
            record = replace(record, versions={**record.versions, **code.versions})
            table = config.data.corrections
            corrections = None if table is None else Path(table).expanduser().read_bytes()  # it was read a moment ago
            writer = RunWriter.create(path, record, _from_anywhere(kept).as_yaml(), plugins, code.files, corrections)
            yield from training_loop(setup, writer, replace(options, remarks=remarks), stop)


def _training_key(config: Config) -> str:
    """The name under which a job of several processes remembers the run of this training."""
    return f"run of {config.name} with seed {config.seed}"


def _gone_on(run: Run, options: TrainOptions, stop: StopWish | bool) -> Iterator[TrainingEvent]:
    """What is left of a run that the processes before these have begun; of one that is done, its end."""
    outcome = run.record.outcome
    if outcome.status in UNREPORTED:
        yield from resume(run, (), options, stop)
        return
    if outcome.status == "diverged":
        raise WorkError(outcome.message or f"the run {run.name} has diverged")
    yield Finished(
        run=run.name,
        path=run.path,
        status=outcome.status,
        epochs=outcome.epochs,
        val_accuracy=outcome.val_accuracy,
        best_epoch=outcome.best_epoch,
        train_seconds=outcome.train_seconds,
        wall_seconds=outcome.wall_seconds,
        diagnosis=None,
        report=None,
        resume_command=resume_command(run.path, options),
    )


def _from_anywhere(config: Config) -> Config:
    """The config with paths that lead to the same from any working folder, as the run keeps it."""
    if config.data.corrections is not None:
        config = config.with_corrections(CORRECTIONS)
    dataset = config.data.dataset
    return config.with_data(absolute(dataset.options)) if facts_of(dataset).source == "own" else config


def check_free(path: Path) -> None:
    """Refuse a folder that a new training may not have.

    Raises: RequestError where it holds a run, or one that is only just beginning.
    """
    if not can_start_over(path):
        raise RequestError(taken(path))
    with training_lock(path):
        return


@contextmanager
def _claimed(runs: Path, name: str | None, wish: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The folder of a new run, this process's alone while inside, and what is to be said about it.

    It is called `name`; or, without one, as `wish` says, with a number where that is taken.
    """
    with ExitStack() as stack:
        while True:
            path = runs / (name or free_name(runs, wish))
            try:
                path.mkdir(parents=True, exist_ok=True)
                remark = stack.enter_context(training_lock(path))
            except FileExistsError:
                raise RequestError(taken(path)) from None
            except OSError as error:
                raise RequestError(f"the run {path} cannot be made: {error.strerror}") from None
            except RequestError:  # another process was faster
                if name is not None:
                    raise
                continue
            if can_start_over(path):
                break
            raise RequestError(taken(path))
        remarks = [remark] if remark else []
        if (path / "run.json").exists():
            status = RunRecord.read(path / "run.json").outcome.status
            remarks.append(f"{path} ({status}, without a checkpoint) is replaced")
        yield path, tuple(remarks)


@contextmanager
def _safe(path: Path, options: TrainOptions) -> Iterator[None]:
    """What the disk refuses is said with what is safe in the run and how to go on."""
    try:
        yield
    except WriteError as error:
        cause = error.way_out.removesuffix(" and repeat the command")
        if Run(path).last_state.exists():
            go_on = f"then go on from the last checkpoint, which is whole: {resume_command(path, options)}"
        else:
            go_on = "then repeat the command: there is no checkpoint yet, so the run starts over"
        raise WriteError(error.place, error.reason, f"{cause}, {go_on}") from error


def resume(
    run: Run, overrides: Sequence[str], options: TrainOptions, stop: StopWish | bool = False
) -> Iterator[TrainingEvent]:
    """Go on with a run from its last checkpoint, to the bit as if it had never stopped.

    Arguments:
        run: one that has a checkpoint.
        overrides: of its config, such as `training.epochs=20`.
        options, stop: as of `train`; `name` is the run's own.

    Yields:
        What `train` yields, from the step after the checkpoint on.

    Raises:
        RequestError: when there is nothing to resume, or `overrides` would make it another run.
        WorkError: when training fails, which the run records.
    """
    lock = training_lock(run.path) if options.session.ranks.leads else nullcontext()
    with lock as remark, _safe(run.path, options):
        # its record may have changed since it was opened: by the process that had the lock before
        options = replace(options, remarks=(remark,) if remark else ())
        yield from _resume(Run(run.path), overrides, options, stop)


def _resume(
    run: Run, overrides: Sequence[str], options: TrainOptions, stop: StopWish | bool
) -> Iterator[TrainingEvent]:
    session = options.session
    before = run.config(allow_plugins=session.allow_plugins)
    config = resumed_config(run, overrides, allow_plugins=session.allow_plugins)
    if not run.last_state.exists():
        refuse_links(run.last_state.parent)
        if can_start_over(run.path):
            raise RequestError(f"the run {run.name} stopped before its first checkpoint; train it anew")
        again = shlex.join(["cnnlab", "train", str(run.path / "config.yaml"), "--name", f"{run.name}-again"])
        raise RequestError(
            f"{run.last_state}: is missing, and the run {run.name} cannot go on without it; anew: {again}"
        )
    check_there(run, config, session.place)
    config = relocated(config, session.place)
    saved = load_state(run.last_state, session.device)
    setup = set_up_training(config, session, begun=True)
    check_unchanged(run, setup.images)
    try:
        setup.state.load_state_dict(saved, setup.plan)
    except RequestError as error:
        raise RequestError(f"{run.last_state}: {error}") from None
    setup = replace(setup, choices=kept_choices(run, setup))
    epoch_rows(run)  # as the report will read them
    progress = setup.state.progress
    if progress.epoch >= config.training.epochs and run.record.outcome.status not in UNREPORTED:
        if progress.epoch > config.training.epochs:
            raise RequestError(
                f"the run {run.name} has done {progress.epoch} epochs already, "
                f"more than training.epochs={config.training.epochs}"
            )
        raise RequestError(
            f"the run {run.name} has done its {progress.epoch} epochs; {extension(run, before, setup)} extends it"
        )
    if options.stop_after and options.stop_after <= progress.epoch < config.training.epochs:
        raise RequestError(
            f"`stop_after` is {options.stop_after}, and the run {run.name} has done {progress.epoch} epochs already; "
            "all of its epochs count"
        )
    changes = (curve_remark(run, before, setup, stretch=options.stretch_schedule), arithmetic_remark(run, options))
    session.ranks.wait()  # until all have read what the first one changes now
    if not session.ranks.leads:
        follow(setup, stop, stop_after=options.stop_after)
        return
    options = replace(options, remarks=(*options.remarks, *(change for change in changes if change)))
    kept = _from_anywhere(config).as_yaml()
    writer = RunWriter.resume(run, step=progress.step, epoch=progress.epoch, config_yaml=kept)
    record = continued_record(writer.record, setup)
    places = setup.images.facts().places  # which may have moved
    writer.record = replace(record, data=replace(record.data, places=places))
    yield from training_loop(setup, writer, options, stop)


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


def dry_run(config: Config, options: TrainOptions, stop: StopWish | bool = False) -> Iterator[TrainingEvent]:
    """Train on two batches, in a folder that is removed: the checkpoint is written, read back and compared.

    Arguments:
        config, options, stop: as of `train`.

    Yields:
        What `train` yields, of a run of one epoch.

    Raises:
        RequestError: as `train`.
        WorkError: when training fails, or the checkpoint does not read back to the same state.
    """
    device = options.session.device  # first: a wrong one need not wait for the images
    images = training_images(config, options.session.place)
    few = 2 * config.training.batch_size
    validation = images.validation
    images = replace(
        images,
        train=fixed_sample(images.train, few, config.seed, "dry run"),
        validation=fixed_sample(validation, few, config.seed, "dry run") if validation else None,
    )
    once = config.training.model_copy(update={"epoch_images": None})
    setup = set_up_training(config.model_copy(update={"training": once}), options.session, images=images)
    one_epoch = setup.config.training.model_copy(update={"epochs": 1, "time_budget": None})
    watched = config.logging.model_copy(update={"histograms_every_epochs": 1, "every_steps": 1})
    setup = replace(setup, config=setup.config.model_copy(update={"training": one_epoch, "logging": watched}))
    if not options.session.ranks.leads:
        follow(setup, stop)
        return
    with tempfile.TemporaryDirectory(prefix="cnnlab-dry-run-") as folder:
        record = _record(config.name, setup, options)
        writer = RunWriter.create(Path(folder) / config.name, record, config.as_yaml())
        yield from training_loop(setup, writer, replace(options, stop_after=None), stop)
        saved = load_state(writer.path / "checkpoints" / "last.pt", device)
        for name, tensor in setup.network.state_dict().items():
            if not torch.equal(saved["model"][name], tensor):
                raise WorkError(f"the checkpoint does not read back: {name} differs")
        try:
            setup.state.load_state_dict(saved, setup.plan)
        except RequestError as error:
            raise WorkError(f"the checkpoint does not read back: {error}") from error


def _record(name: str, setup: TrainingSetup, options: TrainOptions) -> RunRecord:
    record = new_record(
        name=name,
        command=options.command,
        seed=setup.config.seed,
        device=str(options.session.device),
        parameters=parameter_count(setup.network),
        data=replace(setup.images.facts(), written=setup.config.written_paths),
        time_budget=setup.config.training.time_budget,
        processes=options.session.ranks.world,
    )
    return replace(
        record,
        trainable=setup.freezing.trainable,
        trainable_ever=setup.freezing.trainable_ever,
        shown_at=setup.resolution.sentence if setup.resolution is not None else "",
        inherited=None if setup.inherited is None else setup.inherited.facts,
    )
