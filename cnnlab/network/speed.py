"""How long networks take for the same images: in turn, so that a machine whose speed drifts treats all alike."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.forward import forward
from cnnlab.stats.repeats import Repeats, together

WARM = 2
"""Passes of each network before the clock counts: caches fill, and kernels are chosen."""

LEAST = 5
"""Turns that are taken in any case, where as many are asked for."""

SECONDS = 8.0
"""No further turn begins after these."""


def pass_seconds(models: Sequence[nn.Module], images: Tensor, *, repeats: int) -> tuple[Repeats, ...]:
    """Time forward passes in evaluation mode, without gradients, in the memory layout that all commands use.

    Arguments:
        models: the networks, which are as they were afterwards.
        images: (n, channels, height, width), on the networks' device.
        repeats: turns, from 1; fewer where they would take longer than some seconds, but at least 5.

    Returns:
        The seconds of a pass of each network, turn by turn.

    Example:
        >>> one, two = pass_seconds([nn.Identity(), nn.ReLU()], torch.ones(1, 1, 4, 4), repeats=3)
        >>> len(one.values), len(two.values)
        (3, 3)
    """

    def timed(model: nn.Module) -> float:
        start = now(images.device)
        forward(model, images)
        return now(images.device) - start

    with ExitStack() as kept:
        for model in models:
            kept.enter_context(undisturbed(model))
        kept.enter_context(torch.no_grad())
        return in_turn([partial(timed, model) for model in models], most=repeats)


def in_turn(
    sides: Sequence[Callable[[], float]],
    *,
    least: int = LEAST,
    most: int | None = None,
    seconds: float = SECONDS,
    warm: int = WARM,
) -> tuple[Repeats, ...]:
    """Let several things be timed one after the other, again and again: what disturbs the machine meets them alike.

    Arguments:
        sides: each does its work once, and returns what was measured of it.
        least: turns that are taken in any case, where `most` does not forbid.
        most: turns, where they are limited.
        seconds: no further turn begins after these.
        warm: turns before those that count.

    Returns:
        The measurements of each side, turn by turn.

    Example:
        >>> slow, fast = in_turn([lambda: 3.0, lambda: 1.0], most=4)
        >>> slow.over(fast).values
        (3.0, 3.0, 3.0, 3.0)
    """
    for side in [*sides] * warm:
        side()
    turns: list[list[float]] = []
    began = time.perf_counter()
    while (most is None or len(turns) < most) and (len(turns) < least or time.perf_counter() - began < seconds):
        turns.append([side() for side in sides])
    return together(turns)


def now(device: torch.device) -> float:
    """Seconds of `time.perf_counter`, when all that was given to the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


@contextmanager
def threads(count: int | None) -> Iterator[int]:
    """Let operations use `count` threads of the processor inside, as many as before where none is given.

    Yields: how many they are.
    """
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def noise(shape: Sequence[int], like: nn.Module, *, count: int = 1) -> Tensor:
    """Images of Gaussian noise (count, channels, height, width), of the type and on the device of the parameters."""
    known = next((p for p in like.parameters() if p.is_floating_point()), torch.empty(0))
    images = torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))
    return images.to(known.device, known.dtype)
