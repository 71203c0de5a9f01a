"""How far long work is: what it yields until its result comes, and what wraps an iteration that is followed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Advance:
    """A fact on the way: of `total` steps of `what`, `done` are behind."""

    what: str
    done: int
    total: int


class Track(Protocol):
    """Wraps a long iteration, so that whoever iterates can show how far it is."""

    def __call__(self, items: Iterable[Any], what: str, total: int, /) -> Iterable[Any]:
        """The same items; `what` is being done, and there are `total`."""


def untracked(items: Iterable[Any], what: str, total: int, /) -> Iterable[Any]:
    """The items as they are."""
    return items
