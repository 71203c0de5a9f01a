"""`cnnlab bench`: a training's speed on this machine, its limits and its phases, all within some seconds."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean, median

import torch

from cnnlab.config.config import Config
from cnnlab.core.advance import Advance
from cnnlab.core.errors import CnnlabError, RequestError, WorkError, first_line
from cnnlab.data.dataset import Dataset
from cnnlab.fit.device import arithmetic
from cnnlab.fit.resolution import Resolution
from cnnlab.network.ceiling import ceiling
from cnnlab.network.session import Session
from cnnlab.network.speed import in_turn, threads
from cnnlab.runs.images import TrainingImages, fixed_sample, training_images
from cnnlab.speed.changes import Tried, changes, tried
from cnnlab.speed.compiled import compiled_trial
from cnnlab.speed.facts import Bench, Phases, Setting, SizeSpeed, Speed
from cnnlab.speed.perturbation import MethodSpeed, method_speeds
from cnnlab.speed.phases import AVERAGES, PHASES, watched_setup
from cnnlab.speed.steps import bare_step, evaluation_step, input_step, lasting, training_facts, training_step
from cnnlab.speed.trace import write_trace
from cnnlab.speed.work import step_work
from cnnlab.training.setup import TrainingSetup, set_up_training

SECONDS = 60.0
"""That a bench takes, where nothing else is said."""

STEP, WATCHED, INPUT, EVALUATION, METHODS, SIZES, TRIALS = 0.14, 0.07, 0.04, 0.06, 0.1, 0.1, 0.22
"""Shares of the seconds."""

LEAST = 3
"""Turns of each measurement, however long they take."""

EXPLAINED = 16
"""Images that are explained at most."""

EXPECTED_TURNS = 10
"""Steps that a trial takes at least, warm ones and those of the present setting included."""

EVALUATED = 1000
"""Images of an evaluation at most."""


def bench(
    config: Config,
    session: Session,
    *,
    seconds: float = SECONDS,
    thread_count: int | None = None,
    base: Path | None = None,
    trace: Path | None = None,
) -> Iterator[Advance | Bench]:
    """Measure how fast a config trains on this machine, and what limits it.

    Arguments:
        config: of the training.
        session: where data lies, and the device.
        seconds: that it all may take, beside reading the images; a step of seconds may take it beyond.
        thread_count: of the processor; as many as torch takes where none is given.
        base: the folder at which the config's relative paths start; the working folder where none is given.
        trace: the folder for a trace of some steps; without it nothing is written.

    Yields:
        How far it is; at last the facts.

    Raises:
        RequestError: for `seconds` that are not above 0, and where parts of the config do not fit each other, the data
            or this machine.
        WorkError: where the device has too little memory, or a loss diverges.

    Example:
        >>> from cnnlab.config import QUICKSTART
        >>> from cnnlab.config.config import read_config
        >>> small = ["data.dataset={shapes: {train_count: 64, size: 16}}", "training.batch_size=16"]
        >>> *_, found = bench(read_config(QUICKSTART, small), Session(device_name="cpu"), seconds=0.1)
        >>> list(found.phases.seconds)
        ['input', 'forward', 'loss', 'backward', 'optimizer', 'averages', 'bookkeeping']
    """
    if not 0 < seconds < math.inf:
        raise RequestError(f"`seconds` is {seconds:g}, expected a number above 0")
    images = training_images(config, session.place)

    with threads(thread_count) as count:
        try:
            yield from _measured(config, session, images, seconds, count, base or Path(), trace)
        except torch.OutOfMemoryError as error:
            raise WorkError(
                f"{session.device} has too little memory for a batch of {config.training.batch_size}; make "
                "training.batch_size smaller"
            ) from error


def _measured(
    config: Config,
    session: Session,
    images: TrainingImages,
    seconds: float,
    thread_count: int,
    base: Path,
    trace: Path | None,
) -> Iterator[Advance | Bench]:
    began = time.perf_counter()

    def fresh(changed: Config = config) -> TrainingSetup:
        return set_up_training(changed, session, images=images)

    def left() -> float:
        return seconds - (time.perf_counter() - began)

    setup = fresh()
    device = setup.state.device
    work = step_work(setup.network, images.train.shape)
    worth = changes(config, device=device, images=len(images.train), thread_count=thread_count)
    parts = 6 + len(worth) + (not config.training.compile)
    yield Advance("bench", 0, parts)
    most = ceiling(device)
    yield Advance("bench", 1, parts)
    present = lasting(training_step(setup))
    step, bare = in_turn([present, lasting(bare_step(fresh()))], least=LEAST, seconds=STEP * seconds)
    yield Advance("bench", 2, parts)
    phases = _phases(fresh(), fresh(), WATCHED * seconds)
    yield Advance("bench", 3, parts)
    sizes = _sizes(setup, fresh, SIZES * seconds)
    (made,) = in_turn([lasting(input_step(setup))], least=LEAST, seconds=INPUT * seconds)
    yield Advance("bench", 4, parts)
    some = fixed_sample(images.validation or images.train, EVALUATED, config.seed, "bench")
    (evaluated,) = in_turn([evaluation_step(setup, some)], least=LEAST, seconds=EVALUATION * seconds)
    yield Advance("bench", 5, parts)
    methods, without_methods = _methods(fresh(), some, session, METHODS * seconds)
    yield Advance("bench", 6, parts)
    trials = []
    each = step.median * config.training.batch_size * config.training.accumulate
    for number, change in enumerate(worth):
        if left() < EXPECTED_TURNS * each:
            trials.append(
                Tried(
                    change.words,
                    change.besides,
                    None,
                    f"no time was left of {seconds:g} s, a step takes {each:.2g}; give it more of them",
                )
            )
        else:
            trials.append(tried(change, present, fresh, seconds=min(TRIALS * seconds / len(worth), left())))
        yield Advance("bench", 7 + number, parts)
    if not config.training.compile:
        trials.append(compiled_trial(config, session, base, images.train, thread_count=thread_count, seconds=left()))
        yield Advance("bench", parts, parts)
    of_step, of_forward = (None, None) if work is None else (work.step, work.forward)
    yield Bench(
        setting=_setting(setup, images, thread_count),
        ceiling=most,
        work=work,
        step=Speed(step, of_step),
        bare=Speed(bare, of_step),
        phases=phases,
        input=Speed(made),
        evaluation=Speed(evaluated, of_forward),
        evaluated=len(some),
        methods=methods,
        without_methods=without_methods,
        trials=tuple(trials),
        trace=None if trace is None else write_trace(fresh(), trace),
        seconds=time.perf_counter() - began,
        sizes=sizes,
        remarks=_said(setup),
    )


def _phases(watched: TrainingSetup, unwatched: TrainingSetup, seconds: float) -> Phases:
    """Steps with marks and steps without, in turn."""
    watch = watched_setup(watched)
    facts = training_facts(watch.setup)
    steps: list[dict[str, float]] = []

    def step() -> float:
        watch.clock.begin()
        images = next(facts).images
        watch.clock.end("bookkeeping")
        steps.append(watch.clock.seconds)
        return sum(watch.clock.seconds.values()) / images

    with_marks, without = in_turn([step, training_step(unwatched)], least=LEAST, seconds=seconds)
    counted = steps[-len(with_marks.values) :]
    seconds_of = {name: median(one[name] for one in counted) for name in PHASES}
    seconds_of[AVERAGES] = fmean(one[AVERAGES] for one in counted)  # not every step has them
    return Phases(seconds_of, with_marks.over(without).median - 1)


def _sizes(setup: TrainingSetup, fresh: Callable[[], TrainingSetup], seconds: float) -> tuple[SizeSpeed, ...]:
    """Steps of each size of images that the config asks for, in turn."""
    if setup.resolution is None:
        return ()
    full, spans = setup.resolution.full, list(setup.resolution.spans())
    sides = [lasting(training_step(fresh(), resolution=Resolution({0: min(size)}, full))) for _, size in spans]
    found = in_turn(sides, least=LEAST, seconds=seconds)
    return tuple(SizeSpeed(size, share, Speed(one)) for (share, size), one in zip(spans, found, strict=True))


def _said(setup: TrainingSetup) -> tuple[str, ...]:
    """What is to be known of the network, and of what the bench leaves out."""
    hardest = setup.config.hardest
    left_out = () if hardest is None else ("hardest: measured on whole batches, before any image is left out",)
    return (*setup.remarks, *left_out)


def _methods(
    setup: TrainingSetup, images: Dataset, session: Session, seconds: float
) -> tuple[tuple[MethodSpeed, ...], str]:
    """The perturbation methods on the network before its training; or why there are none."""
    batch = next(iter(setup.batches_of(images.take(torch.arange(min(len(images), EXPLAINED))))))
    try:
        return method_speeds(setup.network, batch.images, max_batch=session.max_batch, seconds=seconds), ""
    except CnnlabError as error:
        return (), first_line(error)


def _setting(setup: TrainingSetup, images: TrainingImages, thread_count: int) -> Setting:
    training, device = setup.config.training, setup.state.device
    name = arithmetic(device).device
    return Setting(
        name=setup.config.name,
        device=name if name == str(device) else f"{device} ({name})",
        threads=thread_count,
        batch=min(training.batch_size, training.epoch_images or len(images.train)),
        accumulate=training.accumulate,
        precision=setup.precision,
        channels_last=training.channels_last,
        compiled=bool(training.compile),
        shape=images.train.shape,
    )
