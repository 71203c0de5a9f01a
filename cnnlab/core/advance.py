"""How far long work is: what it yields until its result comes, and what wraps an iteration that is followed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Advance:
    """A fact on the way: of `total` steps of `what`, `done` are behind."""

    what: str
    done: int
    total: int


Track = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""Wraps a long iteration: (items, what is done, how many) → the same items, so that whoever iterates can show a bar."""


def untracked(items: Iterable[Any], what: str, total: int) -> Iterable[Any]:
    """The items as they are."""
    return items
