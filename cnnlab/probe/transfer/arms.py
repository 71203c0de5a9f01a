"""The ways to begin that are compared: from nothing, and from another network's weights, frozen to different depths."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.fit.freezing import depths


@dataclass(frozen=True)
class Arm:
    """One way to begin."""

    key: str
    """In names and files."""
    words: str
    frozen: int | None
    """Layers that keep the other network's weights, from the image on; None where nothing is taken over."""
    freeze: tuple[str, ...] = ()
    """The patterns of `freeze` that say so."""


SCRATCH = Arm("scratch", "from nothing", None)
TUNED = Arm("tuned", "all layers tuned", 0)
HEAD = "head"
"""The key of the arm in which only the last layer learns."""


def arms_of(model: nn.Module, frozen: Sequence[int] | None = None) -> tuple[Arm, ...]:
    """The arms for a network.

    Arguments:
        model: whose layers are registered in the order in which they are used.
        frozen: how many layers with weights keep what they begin with, a number for each arm between "all layers
            tuned" and "head only"; by default about a third and two thirds of them.

    Returns:
        From nothing, all layers tuned, those of `frozen`, head only.

    Raises:
        RequestError: for numbers that do not ascend, or leave nothing between the two.

    Example:
        >>> layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(4, 2)]
        >>> [(arm.key, arm.freeze) for arm in arms_of(nn.Sequential(*layers), [1])]
        [('scratch', ()), ('tuned', ()), ('frozen1', ('0', '1')), ('head', ('0', '1', '2'))]
    """
    places = depths(model)
    below = max(places.values(), default=0)
    if below < 1:
        raise RequestError("the network has a single layer with weights: there is nothing below its head to take over")
    if frozen is None:
        frozen = sorted({round(below / 3), round(2 * below / 3)} - {0, below})
    if list(frozen) != sorted(set(frozen)) or any(not 0 < count < below for count in frozen):
        given = f"`freeze` is {','.join(map(str, frozen))}"
        if below == 1:
            raise RequestError(f"{given}, and the network has a single layer with weights below its head")
        raise RequestError(
            f"{given}, expected numbers from 1 to {below - 1}, each larger than the one before: the network has "
            f"{below} layers with weights below its head"
        )
    named = [(f"frozen{count}", f"{count} layer{'s' * (count > 1)} frozen", count) for count in frozen]
    named.append((HEAD, "head only", below))
    return SCRATCH, TUNED, *(Arm(key, words, count, first_layers(model, count)) for key, words, count in named)


def first_layers(model: nn.Module, count: int) -> tuple[str, ...]:
    """Patterns that cover the first layers with weights, and the norms that follow each.

    Arguments:
        model: whose layers are registered in the order in which they are used.
        count: of the layers, from the image on.

    Returns:
        Names of modules, each the largest that holds nothing else.
    """
    places = depths(model)
    last = max(places.values())
    kept = [name for name, place in places.items() if last - place < count]
    found: dict[str, None] = {}
    for name in kept:
        steps = name.split(".")
        prefixes = (".".join(steps[:length]) for length in range(1, len(steps) + 1))
        whole = next(one for one in prefixes if all(other in kept for other in places if _within(other, one)))
        found[whole] = None
    return tuple(found)


def _within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")
