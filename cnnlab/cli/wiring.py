"""What one subject does for another: put together here, so that neither imports the other; loaded when it is used."""

from typing import TYPE_CHECKING

from cnnlab.cli.invocation import Invocation
from cnnlab.cli.report import write_whole_report

if TYPE_CHECKING:
    from cnnlab.reports.blocks import Section
    from cnnlab.runs.events import EventLog
    from cnnlab.runs.folder import Run
    from cnnlab.workflows.observer import Observer
    from cnnlab.workflows.training_session import TrainingSession


def invocation(began: float) -> Invocation:
    """What commands find in `context.obj`; `began`: when the process started, by `time.perf_counter`."""
    return Invocation(
        began,
        write_whole_report=write_whole_report,
        training_observers=(_field_views,),
        validation_section=_validation_section,
    )


def _field_views(session: "TrainingSession", events: "EventLog") -> "Observer":
    from cnnlab.workflows.field_views import FieldViews

    return FieldViews(session, events)


def _validation_section(session: "TrainingSession", run: "Run") -> "Section":
    from cnnlab.workflows.validation_section import validation_section

    return validation_section(session, run)
