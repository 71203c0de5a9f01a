"""What the entry point knows and a command may need: typer's `context.obj`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cnnlab.network.session import Session
    from cnnlab.runs.folder import Run
    from cnnlab.training.observer import MakesObserver
    from cnnlab.training.report_files import MakesSection


class WritesReport(Protocol):
    """Writes what `cnnlab report` writes."""

    def __call__(self, run: "Run", session: "Session", /) -> object:
        """The page of `run`."""


@dataclass(frozen=True)
class Invocation:
    """One call of `cnnlab`, and what commands do for each other without an import from one to the other."""

    began: float
    """When the process started, by `time.perf_counter`."""
    write_whole_report: WritesReport
    training_observers: "tuple[MakesObserver, ...]"
    """Who watches a training besides itself."""
    validation_section: "MakesSection"
    """Makes what a training's report says of the validation part."""
