"""What one subject does for another: put together here, so that neither imports the other; loaded when it is used."""

from typing import TYPE_CHECKING

from cnnlab.training.command import Invocation

if TYPE_CHECKING:
    from cnnlab.network.session import Session
    from cnnlab.runs.events import EventLog
    from cnnlab.runs.folder import Run
    from cnnlab.training.setup import TrainingSetup
    from cnnlab.training.views import Observer
    from cnnlab.view.contribution import Contribution


def invocation(began: float) -> Invocation:
    """What commands find in `context.obj`; `began`: when the process started, by `time.perf_counter`."""
    return Invocation(
        began,
        write_whole_report=_write_whole_report,
        training_observers=(field_views,),
        validation_section=validation_section,
    )


def _write_whole_report(run: "Run", session: "Session") -> None:
    from cnnlab.cli.streams import with_bars
    from cnnlab.network.open import open_run
    from cnnlab.report.run import whole_report

    with_bars(whole_report(open_run(run, session), session))


def field_views(setup: "TrainingSetup", events: "EventLog") -> "Observer":
    """Watches the effective field of a training, where its config asks for that."""
    from cnnlab.receptive_field.effective.views import FieldViews

    return FieldViews(setup, events)


def validation_section(setup: "TrainingSetup", run: "Run") -> "Contribution":
    """What a training's report says of the validation part."""
    from cnnlab.evaluation.contribution import validation_section

    return validation_section(setup, run)
