"""How far long work is: what it yields until its result comes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Advance:
    """A fact on the way: of `total` steps of `what`, `done` are behind."""

    what: str
    done: int
    total: int
