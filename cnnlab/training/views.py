"""Who watches a training, and what TensorBoard shows of it besides curves: images, the graph, histograms."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from cnnlab.core.characters import printable
from cnnlab.core.share import WHOLE
from cnnlab.data.batches import denormalise, normalise
from cnnlab.fit.fit import EpochDone
from cnnlab.network.forward import capture_outputs
from cnnlab.runs.events import EventLog
from cnnlab.training.setup import TrainingSetup

IMAGES = 32
HISTOGRAM_IMAGES = 128
CHARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "training and validation": {
        "loss": ("train/loss", "validation/loss"),
        "accuracy": ("train/accuracy", "train/clean_accuracy", "validation/accuracy"),
    },
    "step by step": {name: (name,) for name in ("lr", "train/step_loss", "gradient_norm")},
}
"""What belongs together in one chart; TensorBoard's own page has a chart for each curve, by the alphabet."""


class Observer(Protocol):
    """Watches a training from its start or resumption on, and leaves its network as it is."""

    def at_start(self) -> None:
        """Called before the first step; after a resumption, too."""

    def after_epoch(self, fact: EpochDone) -> None:
        """Called after each epoch and its validation, before the checkpoint is written."""


MakesObserver = Callable[[TrainingSetup, EventLog], Observer]


class TrainingViews:
    """Writes images and histograms of one training at the pace that its config sets."""

    def __init__(self, setup: TrainingSetup, events: EventLog) -> None:
        self.setup = setup
        self.writer = events.writer
        self.events = events
        self.logging = setup.config.logging

    def at_start(self) -> None:
        """The first batch as the network sees it, and the network as a graph."""
        progress = self.setup.state.progress
        if progress.step:
            return
        self.events.layout(CHARTS)
        first = next(iter(replace(self.setup.batches, share=WHOLE).epoch(0)))
        if self.logging.pictures:
            # normalisation undone, augmentation kept
            seen = denormalise(first.images[:IMAGES].cpu().float(), self.setup.images.statistics)
            self.writer.add_images("pictures/augmented", seen, 0)
        if self.logging.graph:
            self.events.graph(self.setup.network, first.images[:1])

    def after_epoch(self, fact: EpochDone) -> None:
        """Histograms of weights and activations: every so many epochs and after the last."""
        if not is_due(fact, self.setup, every=self.logging.histograms_every_epochs):
            return
        for name, parameter in self.setup.network.named_parameters():
            self.events.histogram(f"weights/{printable(name)}", parameter.detach(), fact.step)
        images = self.setup.clean.images[:HISTOGRAM_IMAGES].to(self.setup.state.device)
        # a list, since an empty Sequential is a child like any other, but false
        names = [name for name, module in self.setup.network.named_modules() if name and not list(module.children())]
        outputs = capture_outputs(
            self.setup.state.evaluated_model, normalise(images, self.setup.images.statistics), names
        )
        for name, output in outputs.items():
            self.events.histogram(f"activations/{printable(name)}", output, fact.step)


def is_due(fact: EpochDone, setup: TrainingSetup, *, every: int) -> bool:
    """Return whether the epoch is one of every so many, or the last; never where `every` is 0."""
    return bool(every) and (fact.epoch % every == 0 or fact.epoch == setup.config.training.epochs)
