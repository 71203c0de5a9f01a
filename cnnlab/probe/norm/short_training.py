"""A few steps of a training, from the start, by what loss they end: which scales and learning rates train at all."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from cnnlab.config.config import Config
from cnnlab.core.registry import component
from cnnlab.fit.fit import DivergenceError, StepDone, fit
from cnnlab.fit.optimizers.rates import with_rate_times
from cnnlab.models.initialization import Weighted
from cnnlab.network.session import Session
from cnnlab.runs.images import TrainingImages
from cnnlab.training.setup import TrainingSetup, set_up_training

TAIL = 0.2
"""The share of the steps whose mean loss counts as the end."""

LEARNED = 0.98
"""The share of the loss of saying nothing below which something has been learned, and not by chance."""


@dataclass(frozen=True)
class ShortTraining:
    """What came of so many steps."""

    steps: int
    """Steps that were made; fewer than asked for where the loss was no longer finite."""
    first: float
    """Loss of the first batch."""
    last: float
    """Mean loss of the last fifth of the steps; infinite where the loss was no longer finite."""
    chance: float
    """Loss of an answer that gives every class the same probability, ln(classes)."""

    @property
    def trains(self) -> bool:
        """Whether the loss ended below that of the start, and clearly below that of saying nothing."""
        return math.isfinite(self.last) and self.last < min(self.first, LEARNED * self.chance)


def short_training(
    config: Config,
    session: Session,
    images: TrainingImages,
    *,
    steps: int,
    scale: float = 1.0,
    rate: float = 1.0,
    begin: Callable[[TrainingSetup], None] | None = None,
) -> tuple[ShortTraining, TrainingSetup]:
    """Train by a constant learning rate for a few steps.

    Arguments:
        config: of the training; its seed is that of the weights and of the order of the images.
        session: the device.
        images: of the config.
        steps: of the optimizer.
        scale: by which the weights of convolutions and dense layers are multiplied at the start.
        rate: by which the config's learning rate is multiplied.
        begin: changes the network before the first step, such as by loading weights.

    Returns:
        What came of it, and the training as it stands then.

    Raises:
        RequestError: where parts of the config do not fit each other or the data.
    """
    faster = with_rate_times(config.optimizer, rate)
    changed = config.model_copy(
        update={"optimizer": faster, "schedule": component("schedule", "constant"), "ema": None}
        | {"lookahead": None, "early_stopping": None, "hardest": None}
    )
    setup = set_up_training(changed, session, images=images)
    if begin is not None:
        begin(setup)
    if scale != 1.0:
        with torch.no_grad():
            for module in setup.network.modules():
                if isinstance(module, Weighted):
                    module.weight.mul_(scale)
    losses: list[float] = []
    epochs = math.ceil(steps / max(1, math.ceil(setup.batches.steps / config.training.accumulate)))
    try:
        for fact in fit(
            setup.state,
            setup.batches,
            loss=setup.loss,
            schedule=setup.schedule,
            epochs=epochs,
            clip=setup.clip,
            accumulate=config.training.accumulate,
            precision=setup.precision,
        ):
            if isinstance(fact, StepDone):
                losses.append(float(fact.loss))
                if len(losses) >= steps:
                    break
    except DivergenceError:
        losses.append(math.inf)
    tail = losses[-max(1, math.ceil(TAIL * steps)) :]
    chance = math.log(len(images.train.classes))
    return ShortTraining(len(losses), losses[0], sum(tail) / len(tail), chance), setup
