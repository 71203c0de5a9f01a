"""Batch norm beside group norm as batches get smaller: the story of the warehouse's detector."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from cnnlab.core.advance import Advance
from cnnlab.data.dataset import Dataset
from cnnlab.network.session import Session
from cnnlab.probe.norm.answers import last_answers
from cnnlab.probe.norm.trainings import BATCH, GROUP
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean, paired_difference
from cnnlab.training.trials import Trained


@dataclass(frozen=True)
class BatchOutcome:
    """One training."""

    norm: str
    size: int
    """Images of a batch."""
    status: str
    accuracies: tuple[float | None, ...]
    """On the validation part after each epoch, 0 … 1."""
    accuracy: MeanInterval | None
    """Of its last weights on the validation part, interval over the images; None where it has diverged."""
    right: Float[Tensor, "n"] | None = field(repr=False, compare=False)
    """Which validation images are right: 1 or 0."""


@dataclass(frozen=True)
class SmallBatchFacts:
    """All of them."""

    outcomes: tuple[BatchOutcome, ...]
    """By size, batch norm before group norm."""
    epochs: int
    groups: int
    instance_layers: int
    """Layers in which there are as many groups as channels, so that group norm is instance norm."""
    layers: int
    images: int
    """Of the validation part."""
    differences: Mapping[int, MeanInterval]
    """By size, accuracy of group norm less that of batch norm, over the same images."""
    degradation: MeanInterval | None
    """Of batch norm, accuracy at the smallest size less that at the largest."""

    def of(self, norm: str) -> tuple[BatchOutcome, ...]:
        """The trainings with one of the norms, by size."""
        return tuple(one for one in self.outcomes if one.norm == norm)


def batch_outcomes(
    trained: Mapping[tuple[str, int], Trained], session: Session, images: Dataset
) -> Iterator[Advance | tuple[BatchOutcome, ...]]:
    """Ask each training's last weights about the validation images.

    Arguments:
        trained: by norm and size.
        session: the device, and how many images pass at a time.
        images: the validation part.

    Yields:
        How far they are, and at last the outcomes.
    """
    found = []
    for (norm, size), one in trained.items():
        right = last_answers(one, session, images)
        accuracies = tuple(row.val_accuracy for row in one.rows)
        accuracy = None if right is None else bootstrap_mean(right, seed=session.seed)
        found.append(BatchOutcome(norm, size, one.status, accuracies, accuracy, right))
        yield Advance("validation", len(found), len(trained))
    yield tuple(found)


def small_batch_facts(
    outcomes: tuple[BatchOutcome, ...], *, epochs: int, groups: int, channels: tuple[int, ...], seed: int
) -> SmallBatchFacts:
    """Compare the outcomes: group norm with batch norm at each size, and batch norm with itself.

    Arguments:
        outcomes: of `batch_outcomes`.
        epochs: of each training.
        groups: of the group norms.
        channels: of each norm.
        seed: of the intervals.

    Returns:
        The outcomes with their differences.
    """
    right = {(one.norm, one.size): one.right for one in outcomes}
    sizes = sorted({one.size for one in outcomes})
    differences = {}
    for size in sizes:
        ours, theirs = right.get((GROUP, size)), right.get((BATCH, size))
        if ours is not None and theirs is not None:
            differences[size] = paired_difference(ours, theirs, seed=seed)
    least, most = right.get((BATCH, sizes[0])), right.get((BATCH, sizes[-1]))
    some = next((one for one in right.values() if one is not None), torch.empty(0))
    return SmallBatchFacts(
        outcomes,
        epochs,
        groups,
        sum(groups == count for count in channels),
        len(channels),
        len(some),
        differences,
        None if least is None or most is None or len(sizes) < 2 else paired_difference(least, most, seed=seed),
    )
