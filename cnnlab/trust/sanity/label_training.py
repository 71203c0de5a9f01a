"""A network that learns random labels: a run's own, trained anew on a few of its images with permuted labels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.data.batches import ChannelStatistics
from cnnlab.fit.fit import StepDone, fit
from cnnlab.network.network import RunNetwork
from cnnlab.network.session import Session
from cnnlab.runs.images import TrainingImages, fixed_sample, training_images
from cnnlab.training.setup import set_up_training

IMAGES = 200
"""So few that a small network has learned them by heart in some hundred steps: of 200, `quickstart` in 60 epochs."""

BATCH = 32
"""Images of a step, at most: few images should still make many steps."""

MOST_EPOCHS = 100
"""Where their number is not asked for."""


@dataclass(frozen=True, eq=False)
class RandomLabelNetwork:
    """The network in evaluation mode, and what it was trained on."""

    model: nn.Module
    pictures: int
    epochs: int
    steps: int
    accuracy: float
    """Accuracy on its own images with their permuted labels, 0 … 1."""
    chance: float
    """The share of the most frequent label."""


def train_on_random_labels(
    network: RunNetwork, session: Session, *, epochs: int | None
) -> Iterator[Advance | RandomLabelNetwork]:
    """Train a network of the same architecture on a few training images with permuted labels.

    The recipe is the run's, without augmentation, averages and early stopping.

    Arguments:
        network: of the run.
        session: the seed, the device, and where data sets lie.
        epochs: over the few images; without them, as many as make the steps of the run's own epochs, 100 at most.

    Yields:
        Each step, and at last the network.

    Raises: what `set_up_training` and `fit` raise.
    """
    config = network.config
    halves = training_images(config, session.place)
    few = fixed_sample(halves.train, IMAGES, session.seed, "random labels")
    generator = torch.Generator().manual_seed(derive_seed(session.seed, "permuted labels"))
    few = replace(few, labels=few.labels[torch.randperm(len(few), generator=generator)])
    facts = network.run.record.data
    images = TrainingImages(few, None, ChannelStatistics(facts.mean, facts.std))
    batch = min(config.training.batch_size, BATCH)
    steps = math.ceil(len(few) / batch)
    if epochs is None:
        own = config.training.epochs * math.ceil(facts.train / config.training.batch_size)
        epochs = max(1, min(MOST_EPOCHS, math.ceil(own / steps)))
    if epochs < 1:
        raise RequestError(f"`epochs` is {epochs}; expected 1 or more")
    training = config.training.model_copy(
        update={"epochs": epochs, "batch_size": batch, "evaluation_batch_size": session.max_batch}
        | {"accumulate": 1, "compile": False, "drop_last": False}
    )
    data = config.data.model_copy(update={"augment": []})
    changed: dict[str, Any] = {"training": training, "data": data, "ema": None, "early_stopping": None}
    changed["seed"] = derive_seed(session.seed, "random labels", config.seed) % 2**31
    setup = set_up_training(config.model_copy(update=changed), session, images=images)
    for fact in fit(
        setup.state,
        setup.batches,
        loss=setup.loss,
        schedule=setup.schedule,
        epochs=epochs,
        clip=setup.clip,
        precision=training.precision,
    ):
        if isinstance(fact, StepDone):
            yield Advance("random labels", fact.step, epochs * setup.batches.steps)
    predictions = setup.evaluate(few)
    yield RandomLabelNetwork(
        model=setup.network.eval(),
        pictures=len(few),
        epochs=epochs,
        steps=setup.state.progress.step,
        accuracy=float((predictions.logits.argmax(1) == predictions.labels).double().mean()),
        chance=float(few.counts().max()) / len(few),
    )
