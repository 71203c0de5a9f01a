"""How much memory the arrays of a walk may take: what does not fit is refused before it is made."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import prod
from typing import Any

from numpy.typing import NDArray

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


def room_for(array: NDArray[Any], sizes: Sequence[int]) -> None:
    """Refuse an array like this one with dimensions of `sizes` for which there is no room.

    Raises: TooLargeError before it is made: every token of a large image beside every other.
    """
    needed, room = len(array) * prod(sizes) * array.itemsize // 4, _ROOM.get()
    if needed > (LARGEST if room is None else min(LARGEST, room.left)):
        raise TooLargeError(f"{needed:,} numbers")
