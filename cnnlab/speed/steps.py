"""Training steps as something that can be asked for one at a time: cnnlab's own, and those of a bare loop."""

import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TypeAlias

from cnnlab.data.batches import Batch
from cnnlab.data.dataset import Dataset
from cnnlab.fit.device import pointwise_route
from cnnlab.fit.fit import StepDone
from cnnlab.fit.precision import autocast
from cnnlab.fit.resolution import Resolution
from cnnlab.network.speed import now
from cnnlab.training.setup import TrainingSetup

Side: TypeAlias = Callable[[], float]
"""Does its work once and returns the seconds that each image of it took."""

TURN = 0.05
"""Seconds of a turn at least: of short steps several, since what disturbs one is as long as itself."""

READY_BYTES = 2**28
"""Memory of the batches that the bare loop finds ready."""

READY = 16
"""Batches of it at most."""

EPOCHS = 10**6
"""Epochs of a schedule that does not end meanwhile; the learning rate stays near its beginning."""


def lasting(side: Side) -> Side:
    """Turns of some time, of as many calls of `side` as that takes; they return the mean of what it returns."""

    def turn() -> float:
        began, found = time.perf_counter(), [side()]
        while time.perf_counter() - began < TURN:
            found.append(side())
        return sum(found) / len(found)

    return turn


def training_facts(setup: TrainingSetup, *, resolution: Resolution | None = None) -> Iterator[StepDone]:
    """The steps of `fit`, epoch after epoch.

    Arguments:
        setup: is used up by it.
        resolution: the size of the images; their own without it.
    """
    for fact in setup.fitted(setup.batches, epochs=EPOCHS, resolution=resolution):
        if isinstance(fact, StepDone):
            yield fact


def training_step(setup: TrainingSetup, *, resolution: Resolution | None = None) -> Side:
    """cnnlab's step, with all that it does: the batch made, the curves' sums, the search for NaN.

    Arguments:
        setup: is used up by it.
        resolution: the size of the images; their own without it.

    Returns:
        Seconds for each image of a step.
    """
    facts, device = training_facts(setup, resolution=resolution), setup.state.device

    def step() -> float:
        start = now(device)
        images = next(facts).images
        return (now(device) - start) / images

    return step


def bare_step(setup: TrainingSetup) -> Side:
    """The step that a textbook prints: batches are ready in memory, and nothing is counted or checked.

    Arguments:
        setup: is used up by it; its network, loss, optimizer and precision are the ones of the training.

    Returns:
        Seconds for each image of a step.
    """
    state = setup.state
    state.begin_epoch()
    groups = _ready(setup)
    route = pointwise_route(state.device, setup.network)
    number = 0

    def step() -> float:
        nonlocal number
        group = groups[number % len(groups)]
        number += 1
        images = sum(len(batch.images) for batch in group)
        start = now(state.device)
        state.optimizer.zero_grad(set_to_none=True)
        for batch in group:
            with autocast(state.device, setup.precision), route:
                logits = setup.forward(batch.images)
            value = setup.loss(logits.float(), batch.targets) * (len(batch.images) / images)
            (state.scaler.scale(value) if state.scaler else value).backward()
        if state.scaler:
            state.scaler.step(state.optimizer)
            state.scaler.update()
        else:
            state.optimizer.step()
        return (now(state.device) - start) / images

    return step


def _ready(setup: TrainingSetup) -> list[list[Batch]]:
    """The batches of some steps, made beforehand."""
    batches = setup.batches.epoch(0)
    first = next(batches)
    room = max(1, READY_BYTES // (first.images.numel() * first.images.element_size()))
    every = setup.config.training.accumulate
    made = list(islice(chain([first], batches), max(every, min(READY, room))))
    return [made[start : start + every] for start in range(0, len(made) - every + 1, every)] or [made]


def input_step(setup: TrainingSetup) -> Side:
    """The input alone: batches drawn, augmented and normalised, and no network.

    Arguments:
        setup: whose batches are made.

    Returns:
        Seconds for each image of a batch.
    """
    device = setup.state.device

    def endless() -> Iterator[Batch]:
        for epoch in range(EPOCHS):
            yield from setup.batches.epoch(epoch)

    batches = endless()

    def step() -> float:
        start = now(device)
        images = len(next(batches).images)
        return (now(device) - start) / images

    return step


def evaluation_step(setup: TrainingSetup, images: Dataset) -> Side:
    """An evaluation as it follows each epoch.

    Arguments:
        setup: whose network is asked.
        images: of one call.

    Returns:
        Seconds for each image.
    """
    device = setup.state.device

    def step() -> float:
        start = now(device)
        setup.evaluate(images)
        return (now(device) - start) / len(images)

    return step
