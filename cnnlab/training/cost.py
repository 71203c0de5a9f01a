"""About how long a training takes on this machine: a few of its steps are timed, and nothing is kept."""

import time

import torch

from cnnlab.config.config import Config
from cnnlab.fit.fit import StepDone
from cnnlab.network.session import Session
from cnnlab.runs.images import TrainingImages
from cnnlab.training.setup import set_up_training

WARM, TIMED, SECONDS = 2, 12, 4.0
"""Steps before the clock counts, steps on the clock at most, and seconds for them at most."""


def training_seconds(config: Config, session: Session, images: TrainingImages) -> float:
    """About how many seconds a training takes: its steps, and what is evaluated after each epoch.

    Arguments:
        config: of the training.
        session: the device.
        images: those of the config.

    Raises:
        RequestError: as a training that cannot begin.
    """
    setup = set_up_training(config, session, images=images)
    steps, clock = 0, time.perf_counter()
    began = clock
    for fact in setup.fitted(setup.batches, epochs=config.training.epochs):
        if not isinstance(fact, StepDone):
            continue
        float(fact.loss)  # a GPU has done the step only then
        steps += 1
        if steps == WARM:
            clock = time.perf_counter()
        if steps >= WARM + TIMED or (steps > WARM and time.perf_counter() - began > SECONDS):
            break
    each = (time.perf_counter() - clock) / max(1, steps - WARM if steps > WARM else steps)
    if setup.resolution is not None:
        each *= setup.resolution.pixels  # what convolutions cost goes with them
    epoch = each * setup.plan.steps(setup.batches.steps)
    for part, wanted in ((setup.clean, config.training.clean_train_pictures), (setup.images.validation, 1)):
        if part is not None and wanted:
            some = part.take(torch.arange(min(len(part), config.training.evaluation_batch_size)))
            clock = time.perf_counter()
            setup.evaluate(some)
            epoch += (time.perf_counter() - clock) * len(part) / len(some)
    whole, budget = epoch * config.training.epochs, config.training.time_budget
    return whole if budget is None else min(whole, budget)


def minutes(seconds: float) -> str:
    """A time as a person plans with it.

    Arguments:
        seconds: from 0.

    Example:
        >>> minutes(40), minutes(1500), minutes(9000)
        ('40 s', '25 minutes', '2.5 hours')
    """
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
