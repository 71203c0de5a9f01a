"""How far long work is: what it yields until its result comes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Advance:
    """Of `total` steps of what is being done, `done` are."""

    what: str
    done: int
    total: int
