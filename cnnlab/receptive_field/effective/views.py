"""What TensorBoard shows of the effective field while a network is trained."""

from torch import nn

from cnnlab.data.batches import normalise
from cnnlab.fit.fit import EpochDone
from cnnlab.runs.events import EventLog
from cnnlab.training.setup import TrainingSetup
from cnnlab.training.views import is_due

IMAGES = 32


class FieldViews:
    """Writes the effective field of the network of one training at the pace that its config sets."""

    def __init__(self, setup: TrainingSetup, events: EventLog) -> None:
        self.setup = setup
        self.events = events

    def at_start(self) -> None:
        """Write nothing: the field is that of weights that have learned."""

    def after_epoch(self, fact: EpochDone) -> None:
        """Write `erf/side` in pixels and `erf/ratio` to the theoretical size, of the last layer that is not global."""
        if not is_due(fact, self.setup, every=self.setup.config.logging.effective_field_every_epochs):
            return
        # imported here: trainings that do not ask for it need none of this
        from cnnlab.network.network import Network
        from cnnlab.receptive_field.effective.report import effective_section
        from cnnlab.receptive_field.effective.run import fields_over
        from cnnlab.receptive_field.run import inspect
        from cnnlab.view import png
        from cnnlab.view.blocks import figures

        setup = self.setup
        model: nn.Module = setup.state.evaluated_model
        network = Network(
            name=setup.config.name,
            origin="config",
            model=model,
            shape=setup.images.train.shape,
            trained=True,
            weights="those of this epoch",
        )
        images = normalise(setup.clean.images[:IMAGES].to(setup.state.device), setup.images.statistics)
        inspection = inspect(network)
        found = list(fields_over(inspection, images, layer=inspection.local.name, what="training images"))[-1]
        extent = found.measures.extent
        self.events.scalars({"erf/side": extent.side if extent else None, "erf/ratio": found.measures.ratio}, fact.step)
        for figure in figures(effective_section(found)):
            if figure.name == "effective_field":
                self.events.png("erf/field", png.encode(figure), fact.step)
