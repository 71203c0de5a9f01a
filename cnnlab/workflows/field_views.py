"""What TensorBoard shows of the effective field while a network is trained."""

from torch import nn

from cnnlab.data.batches import normalise
from cnnlab.runs.events import EventLog
from cnnlab.training.fit import EpochDone
from cnnlab.workflows.observer import is_due
from cnnlab.workflows.training_session import TrainingSession

PICTURES = 32


class FieldViews:
    """Writes the effective field of one session's network at the pace that its config sets."""

    def __init__(self, session: TrainingSession, events: EventLog) -> None:
        self.session = session
        self.events = events

    def at_start(self) -> None:
        """Write nothing: the field is that of weights that have learned."""

    def after_epoch(self, fact: EpochDone) -> None:
        """Write `erf/side` in pixels and `erf/ratio` to the theoretical size, of the last layer that is not global."""
        if not is_due(fact, self.session, every=self.session.config.logging.effective_field_every_epochs):
            return
        # imported here: trainings that do not ask for it need none of this
        from cnnlab.render import png
        from cnnlab.reports.blocks import pictures
        from cnnlab.reports.effective_field import effective_section
        from cnnlab.workflows.effective_field import fields_over
        from cnnlab.workflows.model_source import NamedModel
        from cnnlab.workflows.receptive_field import inspect

        session = self.session
        model: nn.Module = session.state.evaluated_model
        named = NamedModel(session.config.name, "config", model, session.pictures.train.shape, True)
        images = normalise(session.clean.images[:PICTURES].to(session.state.device), session.pictures.statistics)
        inspection = inspect(named)
        found = list(fields_over(inspection, images, layer=inspection.local.name, what="training pictures"))[-1]
        extent = found.measures.extent
        self.events.scalars({"erf/side": extent.side if extent else None, "erf/ratio": found.measures.ratio}, fact.step)
        for picture in pictures(effective_section(found)):
            if picture.name == "effective_field":
                self.events.png("erf/field", png.encode(picture), fact.step)
