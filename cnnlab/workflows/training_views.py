"""What TensorBoard shows of a training besides curves: pictures, the graph, histograms."""

from torch import Tensor, nn

from cnnlab.analysis.activations import capture_outputs
from cnnlab.data.batches import Batch, denormalise, normalise
from cnnlab.runs.events import EventLog
from cnnlab.training.fit import EpochDone
from cnnlab.workflows.training_session import TrainingSession

PICTURES = 32
HISTOGRAM_PICTURES = 128


class TrainingViews:
    """Writes pictures and histograms of one session at the pace that its config sets."""

    def __init__(self, session: TrainingSession, events: EventLog) -> None:
        self.session = session
        self.writer = events.writer
        self.events = events
        self.logging = session.config.logging

    def at_start(self) -> None:
        """The first batch as the network sees it, and the network as a graph."""
        progress = self.session.state.progress
        if progress.step:
            return
        first = next(iter(self.session.batches.epoch(0)))
        if self.logging.pictures:
            self.writer.add_images("pictures/augmented", self._as_seen(first), 0)
        if self.logging.graph:
            self.events.graph(self.session.network, first.images[:1])

    def after_epoch(self, fact: EpochDone) -> None:
        """Histograms of weights and activations, every so many epochs and after the last one."""
        every = self.logging.histograms_every_epochs
        last = fact.epoch == self.session.config.training.epochs
        if not every or (fact.epoch % every and not last):
            return
        for name, parameter in self.session.network.named_parameters():
            self.writer.add_histogram(f"weights/{name}", parameter.detach().cpu().float(), fact.step)
        images = self.session.clean.images[:HISTOGRAM_PICTURES].to(self.session.state.device)
        # a list, since an empty Sequential is a child like any other, but false
        names = [name for name, module in self.session.network.named_modules() if name and not list(module.children())]
        for name, output in self._activations(images, names).items():
            self.writer.add_histogram(f"activations/{name}", output.cpu().float(), fact.step)

    def _activations(self, images: Tensor, names: list[str]) -> dict[str, Tensor]:
        model: nn.Module = self.session.state.evaluated_model
        return capture_outputs(model, normalise(images, self.session.pictures.statistics), names)

    def _as_seen(self, batch: Batch) -> Tensor:
        """The first pictures of a batch in 0..1: normalisation undone, augmentation kept."""
        return denormalise(batch.images[:PICTURES].cpu().float(), self.session.pictures.statistics)
