"""Work step by step beside that of its caller, each with a random state of its own."""

import random
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import torch

from cnnlab.models.undisturbed import SETTINGS, generators_kept

T = TypeVar("T")


def apart(steps: Iterator[T]) -> Iterator[T]:
    """The steps, each with random generators and settings of their own: between them, the caller's are in place."""
    own: list[Any] | None = None
    try:
        while True:
            before = _state()
            try:
                if own is not None:
                    _put(own)
                step = next(steps)
                own = _state()
            except StopIteration:
                return
            finally:
                _put(before)
            yield step
    finally:
        with generators_kept():
            steps.close()  # type: ignore[attr-defined]


def _state() -> list[Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [
        torch.random.get_rng_state(),
        cuda,
        random.getstate(),
        np.random.get_state(),
        [read() for read, _ in SETTINGS],
    ]


def _put(state: list[Any]) -> None:
    torch.random.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
    random.setstate(state[2])
    np.random.set_state(state[3])
    for (read, change), value in zip(SETTINGS, state[4], strict=True):
        if read() != value:
            change(value)
