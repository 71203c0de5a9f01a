"""Attribution methods that change the image again and again, against their own limit: as many plain forward passes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute, planned_passes
from cnnlab.attribution.batch import Request
from cnnlab.attribution.catalog import METHODS
from cnnlab.attribution.layers import choose_layer
from cnnlab.core.errors import CnnlabError, first_line
from cnnlab.fit.freezing import head_of
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.forward import forward
from cnnlab.network.speed import in_turn, now, pass_seconds
from cnnlab.stats.repeats import Repeats
from cnnlab.walk.layouts import layouts_of

LONGEST = 0.25
"""Seconds, about, of the passes that each size of batch is tried with."""

ROUNDS = 4
"""Of the sizes of batch, in turn; the fastest counts."""

TURNS = 4
"""Of a method and of its limit, one of which warms up."""


@dataclass(frozen=True)
class MethodSpeed:
    """One method on some images."""

    method: str
    """As people write it."""
    images: int
    """Images that were explained."""
    changed: int
    """Changed images, or feature maps, that were answered for them."""
    seconds: Repeats | None
    """None where it was not measured."""
    limit: Repeats | None
    """Seconds of a plain forward pass of as many images, in the batches in which it is fastest, turn by turn."""
    why_not: str = ""
    """The reason why it was not measured."""

    @property
    def over_limit(self) -> Repeats | None:
        """Times the limit that the method takes."""
        return None if self.seconds is None or self.limit is None else self.seconds.over(self.limit)


def best_batch(model: nn.Module, images: Float[Tensor, "n c h w"]) -> tuple[int, float]:
    """The size of batch, by doubling, at which the forward passes of the same images take least.

    Arguments:
        model: as it is asked.
        images: as many as the largest batch; fewer are taken of a network that is slow.

    Returns:
        The size, and seconds of an image.
    """
    alone = min(pass_seconds([model], images[:1], repeats=3)[0].values)
    shown = images[: max(1, int(LONGEST / alone))]
    sizes = sorted({min(2**n, len(shown)) for n in range(len(shown).bit_length() + 1)})
    sides = [partial(_plain_seconds, model, shown[:size], len(shown)) for size in sizes]
    rounds = in_turn(sides, least=ROUNDS, most=ROUNDS, warm=1)
    times = {size: min(seconds.values) / len(shown) for size, seconds in zip(sizes, rounds, strict=True)}
    best = min(times, key=times.__getitem__)
    return best, times[best]


def method_speeds(
    model: nn.Module, images: Float[Tensor, "n c h w"], *, max_batch: int, seconds: float, methods: Sequence[str] = ()
) -> tuple[MethodSpeed, ...]:
    """Time each perturbation method, in turn with as many plain forward passes.

    Arguments:
        model: a network from images to logits; it is as it was afterwards.
        images: that are explained, normalised; fewer of them where all would take too long.
        max_batch: images that go through the network at a time.
        seconds: for all methods together; one that would take longer with a single image is left out.
        methods: names; by default all that go by the answers to changed images.

    Returns:
        One for each method that asks the network anything.

    Raises:
        RequestError: for a network that has no layer whose maps could be looked at.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        >>> found, = method_speeds(net, torch.randn(2, 3, 8, 8), max_batch=16, seconds=5.0, methods=["occlusion"])
        >>> found.method, found.changed
        ('occlusion', 98)
    """
    chosen = methods or [name for name, method in METHODS.items() if method.perturbs]
    filled = images.repeat(-(-max_batch // len(images)), 1, 1, 1)[:max_batch]
    best, each = best_batch(model, filled)
    shape = (images.shape[1], images.shape[2], images.shape[3])
    layer = choose_layer(model, shape, layouts=layouts_of(model, shape))
    found = []
    for name in chosen:
        label = METHODS[name].label
        try:
            one = Request(model, images[:1], [0], [name], layers=layer, max_batch=max_batch)
            turns = 2 * TURNS * planned_passes(one)[name] * max_batch * each
            count = min(len(images), int(seconds / len(chosen) / max(turns, 1e-9)))
            if count < 1:
                found.append(MethodSpeed(label, 0, 0, None, None, f"one image would take some {turns:.0f} s"))
                continue
            some, classes = images[:count], torch.zeros(count, dtype=torch.long)
            ask = partial(attribute, model, some, classes, methods=[name], layers=layer, max_batch=max_batch)
            asked = _rows_through_the_head(model, ask)
        except CnnlabError as error:
            found.append(MethodSpeed(label, 0, 0, None, None, first_line(error)))
            continue
        if asked <= count:
            continue  # a closed form, behind an affine head
        taken, least = in_turn(
            [partial(_seconds, ask, some.device), partial(_plain_seconds, model, filled[:best], asked)],
            least=TURNS - 1,
            most=TURNS - 1,
            warm=1,
        )
        found.append(MethodSpeed(label, count, asked - count, taken, least))
    return tuple(found)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    start = now(device)
    work()
    return now(device) - start


def _plain_seconds(model: nn.Module, batch: Float[Tensor, "n c h w"], count: int) -> float:
    """Seconds of a forward pass of `count` images in such batches."""
    with undisturbed(model), torch.no_grad():
        start = now(batch.device)
        for begin in range(0, count, len(batch)):
            forward(model, batch[: count - begin])
        return now(batch.device) - start


def _rows_through_the_head(model: nn.Module, ask: Callable[[], object]) -> int:
    """How many images, or their feature maps, get to the last layer with weights; those as they are among them."""
    rows = 0

    def count(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal rows
        rows += len(inputs[0])

    _, head = head_of(model)
    handle = head.register_forward_pre_hook(count)
    try:
        ask()
    finally:
        handle.remove()
    return rows
