"""What a network ran on its way from the image, step by step: whether it is the same network at another size.

Code may ask for the size: it loops as often as the width has bits, pads to a multiple, takes another branch. A field
found on a larger image is this network's only as far as it runs the same steps there: the same operations in the same
layers, with the same parameters, windows, strides and padding. Sizes themselves are not compared; a window that covers
all of a map is the same whatever the map's size, and a place counted from the far end is the same from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from cnnlab.walk.call import Call
from cnnlab.walk.options import OPTIONS, Either, Places, Regrouped

BEGIN, END = "begin", "end"
"""The steps of a module."""


@dataclass(eq=False)
class Step:
    """An operation on what depends on the image, or a module that begins or ends."""

    name: str
    layer: str
    parameters: tuple[str, ...] = ()
    options: tuple[object, ...] = ()
    numbers: int = 0
    """How many numbers were noted of its results: what it cost in memory and time."""

    def matches(self, other: "Step") -> bool:
        """Whether `other`, of a larger image, is the same step."""
        if (self.name, self.layer, self.parameters) != (other.name, other.layer, other.parameters):
            return False
        if len(self.options) != len(other.options):
            return False
        return all(_same(one, two) for one, two in zip(self.options, other.options, strict=True))


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    return one.matches(other) if isinstance(one, Either | Regrouped | Places) else bool(one == other)


@dataclass(frozen=True)
class Difference:
    """The first step that is another one on a larger image."""

    layer: str
    """The innermost module at the image's own size; "" for the network's own code."""
    here: str
    """What runs there at the image's size."""
    there: str
    """What runs there on the larger image."""


class StoppedError(BaseException):
    """Ends a walk; no `Exception`, so that a network that catches those lets it through."""


@final
class DifferentError(StoppedError):
    """The network runs another program than at its image's own size."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(f"another network from '{difference.layer}' on")
        self.difference = difference


@final
class Program:
    """The steps of a walk; with those of another walk at hand each is compared as it comes."""

    def __init__(self, like: Sequence[Step] | None) -> None:
        self.steps: list[Step] = []
        self._like = like
        self._count = 0

    def step(self, step: Step) -> Step:
        """Takes the next step; gives the same one of the other walk, or this one where there is no other.

        Raises: DifferentError where it is not the other walk's.
        """
        if self._like is None:
            self.steps.append(step)
            return step
        here = self._like[self._count] if self._count < len(self._like) else None
        self._count += 1
        if here is None or not here.matches(step):
            raise DifferentError(Difference(here.layer if here else step.layer, *_told(here, step)))
        return here

    def call(self, call: Call, layer: str) -> Step:
        """`step` of an operation that reads what depends on the image."""
        options = OPTIONS.get(call.name)
        rank = call.output.dim() if call.results else 0
        return self.step(
            Step(call.name, layer, call.parameters, (len(call.results), rank, *(options(call) if options else ())))
        )


def _told(here: Step | None, there: Step) -> tuple[str, str]:
    """Both in words."""
    one, other = "nothing more" if here is None else _step_text(here), _step_text(there)
    return one, other if one != other else f"{other} with other options"


def _step_text(step: Step) -> str:
    if step.name in (BEGIN, END):
        told = f"layer '{step.layer}'" if step.layer else "the network"
        return told if step.name == BEGIN else f"the end of {told}"
    return " with ".join(filter(None, (step.name.strip("_"), ", ".join(step.parameters))))
