"""What may make a training faster: changes of config or threads, each measured beside the present setting."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from cnnlab.config.config import Config
from cnnlab.core.errors import CnnlabError, first_line
from cnnlab.network.speed import in_turn, threads
from cnnlab.speed.steps import Side, lasting, training_step
from cnnlab.stats.repeats import Repeats
from cnnlab.training.setup import TrainingSetup

LEAST = 3
"""Turns of each trial, however long they take."""

NOTICED = 0.02
"""Share by which three quarters of the turns have to be faster, or slower, to be called so."""


@dataclass(frozen=True)
class Change:
    """Another setting."""

    words: str
    """As a command takes it: `training.batch_size=256`, `--threads 1`."""
    config: Config
    threads: int
    besides: str = ""
    """What it alters beside the speed."""


@dataclass(frozen=True)
class Tried:
    """A change, and what it gains."""

    words: str
    besides: str
    gain: Repeats | None
    """Images per second over those of the present setting, turn by turn; None where it could not be measured."""
    why_not: str = ""
    """The reason of that."""

    @property
    def finding(self) -> str:
        """`faster`, `slower` or `no gain`; `not measured` where it was not."""
        if self.gain is None:
            return "not measured"
        if self.gain.low > 1 + NOTICED:
            return "faster"
        return "slower" if self.gain.high < 1 - NOTICED else "no gain"


def changes(config: Config, *, device: torch.device, images: int, thread_count: int) -> tuple[Change, ...]:
    """What is worth a trial.

    Arguments:
        config: the present one.
        device: that trains.
        images: of the training part.
        thread_count: the present one.

    Example:
        >>> from cnnlab.config import QUICKSTART
        >>> from cnnlab.config.config import read_config
        >>> found = changes(read_config(QUICKSTART), device=torch.device("cpu"), images=2700, thread_count=1)
        >>> [change.words for change in found][:3]
        ['training.batch_size=256', 'training.batch_size=64', 'training.channels_last=false']
    """
    found = [*_batches(config, images), *_layouts(config), *_precisions(config, device)]
    made = [Change(words, _changed(config, **given), thread_count, besides) for words, given, besides in found]
    if device.type == "cpu":
        made += [Change(f"--threads {n}", config, n, "other last digits") for n in _thread_counts(thread_count)]
    return tuple(made)


Found = Iterator[tuple[str, dict[str, Any], str]]


def _batches(config: Config, images: int) -> Found:
    size = config.training.batch_size
    for other in (2 * size, size // 2):
        if 1 < other <= images:
            besides = "another training: see cnnlab lr-find"
            yield f"training.batch_size={other}", {"batch_size": other}, besides


def _layouts(config: Config) -> Found:
    other = not config.training.channels_last
    yield f"training.channels_last={str(other).lower()}", {"channels_last": other}, "other last digits"


def _precisions(config: Config, device: torch.device) -> Found:
    if device.type == "cuda" and config.training.precision == "fp32":
        yield "training.precision=bf16", {"precision": "bf16"}, "convolutions and products with 8 bits"


def _thread_counts(present: int) -> list[int]:
    """1, half of the processor's cores that are for this process, and all of them, but for the present number."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return sorted({1, max(1, cores // 2), cores} - {present})


def _changed(config: Config, **training: Any) -> Config:
    return config.model_copy(update={"training": config.training.model_copy(update=training)})


def tried(change: Change, present: Side, make: Callable[[Config], TrainingSetup], *, seconds: float) -> Tried:
    """Take steps of the changed setting and of the present one in turn.

    Arguments:
        change: what is tried.
        present: a turn of the present setting.
        make: sets up a training.
        seconds: no further turn begins after these.
    """
    try:
        step = lasting(training_step(make(change.config)))

        def changed() -> float:
            with threads(change.threads):
                return step()

        before, after = in_turn([present, changed], least=LEAST, seconds=seconds)
    except (CnnlabError, torch.OutOfMemoryError) as error:
        return Tried(change.words, change.besides, None, first_line(error))
    return Tried(change.words, change.besides, before.over(after))
