"""Activations, gradients and accuracy along the training of a network, with its norms and without."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from cnnlab.core.advance import Advance
from cnnlab.network.session import Session
from cnnlab.probe.norm.activations import LayerState, layer_states
from cnnlab.probe.norm.gradient_line import GradientLine, gradient_line
from cnnlab.probe.norm.short_training import LEARNED
from cnnlab.probe.norm.trainings import along
from cnnlab.stats.confidence import MeanInterval
from cnnlab.training.trials import Trained


@dataclass(frozen=True)
class Point:
    """One place of a training."""

    epoch: int
    """0 is before the first step."""
    layers: tuple[LayerState, ...]
    """Each layer with weights."""


@dataclass(frozen=True)
class Course:
    """One of the twins, along its training."""

    name: str
    parameters: int
    status: str
    """How the training ended: `finished`, or `diverged`."""
    points: tuple[Point, ...]
    accuracies: tuple[float | None, ...]
    """On the validation part after each epoch, 0 … 1."""
    losses: tuple[float, ...]
    """Of training, mean of each epoch."""

    def first_epoch_above(self, accuracy: float) -> int | None:
        """The first epoch after which the accuracy is at least so much; None where none is."""
        passed = (n for n, found in enumerate(self.accuracies, 1) if found is not None and found >= accuracy)
        return next(passed, None)

    @property
    def drifts(self) -> dict[str, float]:
        """Of each layer the largest |log₂| of its activation's deviation over that at the start."""
        first = {one.layer: one.deviation for one in self.points[0].layers}
        found: dict[str, float] = {}
        for point in self.points[1:]:
            for one in point.layers:
                if first.get(one.layer, 0) > 0 and 0 < one.deviation < math.inf:
                    moved = abs(math.log2(one.deviation / first[one.layer]))
                    found[one.layer] = max(found.get(one.layer, 0.0), moved)
        return found


@dataclass(frozen=True)
class CourseFacts:
    """Both twins."""

    courses: tuple[Course, ...]
    """With norms, and without."""
    epochs: int
    batch: int
    threshold: float
    """The accuracy whose first epoch is told, 0 … 1."""
    gain: MeanInterval | None
    """Accuracy at last with norms less that without, over the same validation images; None where there are none, or
    one of the twins has diverged."""


def course(
    name: str, trained: Trained, session: Session, images: Float[Tensor, "n c h w"], loss: Callable[[Tensor], Tensor]
) -> Iterator[Advance | Course]:
    """Look into one of the twins at the start and after its epochs, each time on the same batch.

    Arguments:
        name: of the twin.
        trained: its training, with weights of its epochs.
        session: the device.
        images: a batch of training images, prepared, on the device.
        loss: of their logits.

    Yields:
        How far the epochs are, and at last the course.

    Raises:
        RequestError: where its weights do not fit, and for what the network raises.
    """
    points = []
    for epoch, model in along(trained.run, session):
        points.append(Point(epoch, layer_states(model, images, loss)))
        yield Advance(f"layers {name}", len(points), len(trained.run.snapshots()) + 1)
    rows = trained.rows
    yield Course(
        name,
        trained.run.record.parameters,
        trained.status,
        tuple(points),
        tuple(row.val_accuracy for row in rows),
        tuple(row.train_loss for row in rows),
    )


@dataclass(frozen=True)
class LinePoint:
    """The loss along the gradient, at one place of a training."""

    epoch: int
    line: GradientLine


@dataclass(frozen=True)
class LineCourse:
    """One of the twins."""

    name: str
    points: tuple[LinePoint, ...]


@dataclass(frozen=True)
class LandscapeFacts:
    """Both twins, at the same epochs, by the same batch and the same steps."""

    courses: tuple[LineCourse, ...]
    """With norms, and without."""
    rate: float
    """The learning rate of the training, in which steps are told."""
    chance: float
    """Loss of an answer that gives every class the same probability, ln(classes)."""
    batch: int
    epochs: int

    @property
    def compared(self) -> tuple[tuple[GradientLine, GradientLine], ...]:
        """Places at which both twins have learned something: one that has not stands on a plateau, flat as it is."""
        ours, theirs = ({one.epoch: one.line for one in course.points} for course in self.courses)
        pairs = ((ours[epoch], theirs[epoch]) for epoch in ours if epoch in theirs)
        return tuple(pair for pair in pairs if all(line.finite and line.loss < LEARNED * self.chance for line in pair))


def line_course(
    name: str,
    trained: Trained,
    session: Session,
    images: Float[Tensor, "n c h w"],
    loss: Callable[[Tensor], Tensor],
    steps: tuple[float, ...],
) -> Iterator[Advance | LineCourse]:
    """Go along the gradient of one of the twins, at the start and after its epochs; arguments as of `course`.

    steps: lengths of the steps, in the unit of learning rates.

    Yields: how far the epochs are, and at last the twin.
    """
    points = []
    for epoch, model in along(trained.run, session):
        points.append(LinePoint(epoch, gradient_line(model, images, loss, steps)))
        yield Advance(f"gradients {name}", len(points), len(trained.run.snapshots()) + 1)
    yield LineCourse(name, tuple(points))
