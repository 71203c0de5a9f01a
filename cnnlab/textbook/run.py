"""`cnnlab chapter`: every statement found again, and judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch

from cnnlab.core.advance import Advance
from cnnlab.models.undisturbed import generators_kept
from cnnlab.textbook.catalog import STATEMENTS
from cnnlab.textbook.statement import Kind, Statement, Value
from cnnlab.textbook.trained import TrainedRun


class Verdict(StrEnum):
    """What came out."""

    TRUE = "true"
    MISPRINTED = "printed wrong"
    FALSE = "fails"
    MEASURED = "measured"
    """A number that depends on the machine, or on the run, and cannot fail."""
    NEEDS_RUN = "needs --run"
    NOT_IN_RUN = "not in this run"
    ELSEWHERE = "needs a training"
    STORY = "story"


@dataclass(frozen=True)
class Replayed:
    """A statement, what was found, and what that makes of it."""

    statement: Statement
    found: Value | None
    verdict: Verdict


@dataclass(frozen=True)
class Replay:
    """All statements that were asked for."""

    rows: tuple[Replayed, ...]
    section: str | None
    """None for all of them."""
    run: str | None
    """Of which the numbers of a training are."""

    @property
    def failed(self) -> tuple[Replayed, ...]:
        """Those whose number does not come out."""
        return tuple(row for row in self.rows if row.verdict is Verdict.FALSE)

    def count(self, verdict: Verdict) -> int:
        """How many have that verdict."""
        return sum(row.verdict is verdict for row in self.rows)


def replay(section: str | None = None, run: TrainedRun | None = None) -> Iterator[Advance | Replay]:
    """Find every number of the chapter again, by the functions that it is about.

    Arguments:
        section: such as `19.2`; all of them without one.
        run: whose training the statements about one are checked against; without one they are left open.

    Yields:
        How many statements are done; at last all of them, in the chapter's order.

    Raises:
        RequestError: where the data of the run is not there.

    Example:
        >>> *_, found = replay("19.2")
        >>> [row.found for row in found.rows if row.statement.sentence == "fragment 2: parameters"], found.failed
        ([6144], ())
    """
    statements = [one for one in STATEMENTS if section in (None, one.section)]
    if run is not None and any(one.kind is Kind.OF_A_RUN for one in statements):
        _ = run.test_count  # refuses data that are not there, of a run on other images too
    rows = []
    for number, statement in enumerate(statements, 1):
        with generators_kept():
            torch.manual_seed(0)
            rows.append(_replayed(statement, run))
        yield Advance("replaying", number, len(statements))
    yield Replay(tuple(rows), section, None if run is None else run.network.name)


_UNASKED = {Kind.STORY: Verdict.STORY, Kind.ELSEWHERE: Verdict.ELSEWHERE}


def _replayed(statement: Statement, run: TrainedRun | None) -> Replayed:
    if statement.kind in _UNASKED:
        return Replayed(statement, None, _UNASKED[statement.kind])
    find: Any = statement.find
    if statement.kind is not Kind.OF_A_RUN:
        found = find()
    elif run is None:
        return Replayed(statement, None, Verdict.NEEDS_RUN)
    else:
        found = find(run) if statement.dataset in (None, run.dataset) else None
        if found is None:
            return Replayed(statement, None, Verdict.NOT_IN_RUN)
    return Replayed(statement, found, judged(statement, found))


def judged(statement: Statement, found: Value) -> Verdict:
    """What a found value makes of a statement."""
    if statement.kind is Kind.OF_THE_MACHINE or not statement.expected:
        return Verdict.MEASURED
    if not statement.accepts(found):
        return Verdict.FALSE
    return Verdict.MISPRINTED if statement.kind is Kind.MISPRINTED else Verdict.TRUE
