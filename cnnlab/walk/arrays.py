"""The arrays of a reach: how two become one, what adds nothing, and how much memory they may take.

All arrays have a tensor's own dimensions behind one leading axis of components. What does not fit into memory is
refused before it is made.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Move = Callable[[Array], Array]
"""A change of place: takes and gives an array with its leading axis of components."""

NOTHING = -(2**29)
"""Stands in `hull` and `short` for both ends of an empty interval."""

WORD = 64
"""Input indices in one word of `bits`."""

LARGEST = 2**27
"""Numbers of four bytes in one array: half a gibibyte."""


class TooLargeError(Exception):
    """A tag would need more memory than is reasonable."""


@dataclass
class Room:
    """How many numbers of four bytes the arrays of a walk may still take."""

    left: int


_ROOM: ContextVar[Room | None] = ContextVar("room", default=None)


@contextmanager
def within(room: Room) -> Iterator[None]:
    """Arrays that do not fit into `room` are not made."""
    token = _ROOM.set(room)
    try:
        yield
    finally:
        _ROOM.reset(token)


def room_for(array: Array, sizes: Sequence[int]) -> None:
    """Refuse an array like this one with dimensions of `sizes` for which there is no room.

    Raises: TooLargeError before it is made: every token of a large image beside every other.
    """
    needed, room = len(array) * prod(sizes) * array.itemsize // 4, _ROOM.get()
    if needed > (LARGEST if room is None else min(LARGEST, room.left)):
        raise TooLargeError(f"{needed:,} numbers")


def fill_of(array: Array, edge: bool = False) -> Array:
    """The value that adds nothing to a join, as (components,); with `edge` it stands for padding."""
    if array.dtype == np.uint64:
        return np.zeros(len(array), np.uint64)
    return np.array([NOTHING, NOTHING, int(edge)][: len(array)], np.int32)


def join_ufunc(array: Array) -> Any:
    """How two values become one that depends on both."""
    return np.bitwise_or if array.dtype == np.uint64 else np.maximum


def aligned(array: Array, rank: int) -> Array:
    """Put dimensions of size 1 in front, as broadcasting does, until there are `rank`."""
    missing = rank - (array.ndim - 1)
    return array.reshape(len(array), *[1] * missing, *array.shape[1:]) if missing > 0 else array


def element(array: Array, place: tuple[int, ...]) -> Array:
    """The element at `place`, or the one that stands for it, as (components,)."""
    return array[:, *(min(one, size - 1) for one, size in zip(place, array.shape[1:], strict=True))]


def width(short: Array) -> Array:
    """How wide intervals are, less one; an empty one is wider than any other."""
    found = short[0] + short[1]
    return np.where(found < 0, np.int32(2**30), found)


def narrower(one: Array, other: Array) -> Array:
    """Elementwise the narrower interval of `short`; an empty one is none."""
    if one.shape == other.shape and (one is other or np.array_equal(one, other)):
        return one
    return np.where(width(one) <= width(other), one, other)
