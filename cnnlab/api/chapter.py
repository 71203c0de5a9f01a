"""The chapter recomputed, from Python: `cnnlab.chapter`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from cnnlab.api.question import last
from cnnlab.api.result import Result, plain
from cnnlab.api.untouched import untouched
from cnnlab.api.values import path_of, path_or_none
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.textbook.catalog import section_of
from cnnlab.textbook.report import chapter_json, chapter_report
from cnnlab.textbook.run import Replay, Replayed, replay
from cnnlab.textbook.trained import TrainedRun
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class ReplayedChapter(Result):
    """Every statement of the chapter, and what was found of it."""

    document_name: ClassVar[str] = "chapter.json"

    facts: Replay

    @property
    def holds(self) -> bool:
        """Whether no number fails."""
        return not self.facts.failed

    @property
    def rows(self) -> tuple[Replayed, ...]:
        """Statement, found value and verdict, in the chapter's order."""
        return self.facts.rows

    @cached_property
    def report(self) -> Report:
        """A table a section, and the chapter's mistakes."""
        return chapter_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """What `cnnlab chapter --json` prints."""
        return plain(chapter_json(self.facts))


def chapter(
    section: str | None = None,
    *,
    run: str | Path | None = None,
    runs: str | Path = "runs",
    data: str | Path | None = None,
    device: str = "auto",
    allow_plugins: bool = False,
) -> ReplayedChapter:
    """Recompute every number of the textbook chapter that this package implements.

    Arguments:
        section: `19.1` to `19.6`; all of them by default.
        run: a run's name or folder, against which what is said of a training is checked.
        runs: the folder that holds the runs.
        data: where the run's images lie now, if they have moved.
        device: of the run's network: `auto`, `cpu`, `cuda` or `mps`.
        allow_plugins: whether Python files that the run names may be run.

    Returns:
        Each statement with its printed value, what was found, and a verdict.

    Raises:
        RequestError: for a section or a run that is not there.

    Example:
        >>> import cnnlab
        >>> found = cnnlab.chapter("19.4")
        >>> found.holds, [row.statement.mistake for row in found.rows if row.verdict == "printed wrong"]
        (True, [2])
    """
    with untouched():
        wanted = None if section is None else section_of(section)
        session = Session(
            runs=path_of("runs", runs),
            device_name=device,
            data=path_or_none("data", data),
            allow_plugins=allow_plugins,
        )
        trained = None if run is None else TrainedRun(open_run(session.run(run), session), session)
        return ReplayedChapter(last(replay(wanted, trained)))
