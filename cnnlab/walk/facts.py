"""What a walk through a network found: its layers' outputs and its operations, in the order in which they ran.

A module's tensors are found in what it puts out, whatever holds them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, cached_property
from math import prod
from typing import Any

from torch import Tensor

from cnnlab.walk.program import Difference, Step
from cnnlab.walk.tag import Tag


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation as torch executed it; views and allocations are none."""

    name: str
    """What kind of operation it is, such as `convolution` or `add`."""
    layer: str
    """The innermost module that it ran in; "" for the network's own code."""
    shape: tuple[int, ...]
    """Shape of its (first) result, the batch included."""
    macs: int
    """Multiply-accumulates for one image, of convolutions and matrix products: half of torch's count of FLOPs."""
    parameters: tuple[str, ...]
    """The parameters among its arguments."""
    tag: Tag | None
    misaligned: tuple[float, ...] | None = None
    """If it joins several planes, how far their fields' centres lie apart along each axis, in input pixels."""
    counted: bool = True
    """Whether `macs` are all of it; otherwise it does some that nobody can count."""


@dataclass(frozen=True, eq=False)
class Output:
    """A tensor that a layer put out."""

    layer: str
    """The module's path; "" for the network itself."""
    kind: str
    """The name of the module's class."""
    part: str
    """Which of several outputs, such as `.aux` or `[1]`; "" for the only one."""
    call: int
    """From 1: a module can run several times."""
    depth: int
    leaf: bool
    shape: tuple[int, ...]
    """The batch included."""
    inputs: tuple[tuple[int, ...], ...]
    """The shapes of the tensors that came in."""
    seen: tuple[Tag, ...]
    """The tags of those that depend on the image."""
    tag: Tag | None
    began: int
    ended: int
    """Its operations are `operations[began:ended]`."""
    planar: bool = False
    """Whether, in a narrow walk, an operation on planes made it (n, channels, rows, columns), such as a convolution."""

    @cached_property
    def name(self) -> str:
        """The path, with the part and from the second call on its number."""
        return f"{self.layer}{self.part}" + (f" ({self.call})" if self.call > 1 else "")

    @property
    def values(self) -> int:
        """Numbers in it for one image."""
        return prod(self.shape[1:])


@dataclass(frozen=True)
class Failure:
    """The place at which the network stopped, and why."""

    layer: str
    kind: str
    """The class of the module."""
    message: str
    inputs: tuple[tuple[int, ...], ...]
    """The shapes of what that module got."""


@dataclass(frozen=True, eq=False)
class Walk:
    """A forward pass for one image of `shape`."""

    shape: tuple[int, ...]
    """(channels, *spatial), in pixels."""
    outputs: tuple[Output, ...]
    operations: tuple[Operation, ...]
    unknown: tuple[tuple[str, str], ...]
    """(operation, layer) of those whose rule is not known: each result was taken to depend on everything that came in,
    so that their intervals hold, and may be too wide."""
    swallowed: tuple[tuple[str, str], ...]
    """(operation, layer) of those through which a NaN does not pass."""
    on_values: bool
    """The network looks at its own values, and so ran on real tensors."""
    peak_bytes: int
    """The most that was alive at once beside parameters and buffers, in bytes for one image in eval mode."""
    failure: Failure | None = None
    over_budget: bool = False
    """Whether it stopped for want of memory."""
    used: tuple[str, ...] = ()
    """The parameters that an operation got, as they are or through a view; only where costs were asked for."""
    program: tuple[Step, ...] = ()
    """What ran on the way from the image; empty where another walk's was followed."""
    differs: Difference | None = None
    """The step at which it stopped because the other walk's program runs something else there."""
    numbers: int = 0
    """How many numbers were noted in all of what depends on what: what the walk cost in memory and time."""
    gated: bool = False
    """Whether a gate was met: a factor of one number per channel that comes from the image itself."""

    def halves(self) -> tuple["Walk", "Walk"]:
        """With gates and without, of a walk with `gates="both"`; one and the same walk where no gate was met."""
        halves = cache(Tag.halves)

        def walk(part: int) -> Walk:
            outputs = (
                replace(one, tag=one.tag and halves(one.tag)[part], seen=tuple(halves(tag)[part] for tag in one.seen))
                for one in self.outputs
            )
            operations = (
                replace(one, tag=one.tag and halves(one.tag)[part], misaligned=_half(one.misaligned, part))
                for one in self.operations
            )
            return replace(self, outputs=tuple(outputs), operations=tuple(operations))

        first = walk(0)
        return first, walk(1) if self.gated else first

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all operations."""
        return sum(operation.macs for operation in self.operations)

    @property
    def uncounted(self) -> tuple[tuple[str, str], ...]:
        """(operation, layer) of those that are not counted, or not wholly: `macs` are a lower bound then."""
        return tuple(dict.fromkeys((op.name, op.layer) for op in self.operations if not op.counted))

    def output(self, name: str) -> Output | None:
        """The output of that name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Output]:
        return {output.name: output for output in reversed(self.outputs)}


def _half(pair: tuple[float, ...] | None, part: int) -> tuple[float, ...] | None:
    if pair is None:
        return None
    middle = len(pair) // 2
    return pair[middle:] if part else pair[:middle]


def parts_of(output: Any) -> list[tuple[str, Tensor]]:
    """Tensors with their places in the output, such as `.aux` or `[1]`; "" where there is only one.

    Dictionaries, sequences, named tuples and dataclasses are opened.
    """
    found = list(_parts(output, ""))
    return [("", found[0][1])] if len(found) == 1 else found


def _parts(value: Any, place: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield place, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _parts(one, f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}")
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for name in value._fields:
            yield from _parts(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _parts(one, f"{place}[{number}]")
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _parts(getattr(value, field.name), f"{place}.{field.name}")
