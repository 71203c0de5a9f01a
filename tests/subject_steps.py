"""What a subject's run yields: facts on the way, and at last its result."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from cnnlab.core.advance import Advance


def outcome(steps: Iterable[Any]) -> tuple[list[str], Any]:
    """What was done in which order, each time from something to all of it, and the one result at the end."""
    *way, result = list(steps)
    assert way
    assert all(isinstance(step, Advance) for step in way)
    done = []
    for what, group in groupby(way, key=lambda step: step.what):
        some = list(group)
        assert [step.done for step in some] == sorted({step.done for step in some}), what
        assert {step.total for step in some} == {some[-1].done}, what
        done.append(what)
    return done, result
