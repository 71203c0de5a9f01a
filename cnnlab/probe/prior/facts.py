"""What was measured of networks that learned from the same few and many images."""

from dataclasses import dataclass
from typing import Any

from cnnlab.layers_lab.toeplitz import ConvolutionMatrix
from cnnlab.layers_lab.toeplitz_report import matrix_document
from cnnlab.probe.prior.crossing import Crossing
from cnnlab.probe.prior.tasks import Task
from cnnlab.stats.claim import Claim
from cnnlab.stats.confidence import MeanInterval
from cnnlab.stats.known import mean_of_known
from cnnlab.view.json import plain


@dataclass(frozen=True)
class Entrant:
    """One of the networks."""

    name: str
    kind: str
    """convolutional, locally connected or dense."""
    parameters: int
    field: int | None = None
    """Pixels of the largest window that a unit sees of the image, before all places come together; None where nothing
    was asked of it."""


@dataclass(frozen=True)
class Cell:
    """One network, one task, one number of images."""

    task: str
    network: str
    images: int
    accuracies: tuple[float | None, ...]
    """On the validation images after the last epoch, one for each repeat, 0 … 1; None where the loss diverged."""
    losses: tuple[float | None, ...] = ()
    """Likewise the loss."""

    @property
    def mean(self) -> MeanInterval | None:
        """Over the repeats; None where all diverged."""
        return mean_of_known(self.accuracies)


@dataclass(frozen=True)
class Difference:
    """Two networks, one task, one number of images: accuracy of `first` less that of `second`."""

    task: str
    first: str
    second: str
    images: int
    values: tuple[float | None, ...]
    """One for each repeat; None where one of the two diverged."""

    @property
    def mean(self) -> MeanInterval | None:
        """Over the repeats."""
        return mean_of_known(self.values)


@dataclass(frozen=True)
class Pair:
    """Two networks on one task, over all numbers of images."""

    task: str
    first: str
    second: str
    crossings: tuple[Crossing, ...]
    """Where the two are equally good; none where one is ahead at all numbers of images."""


@dataclass(frozen=True, eq=False)
class PriorFacts:
    """All of it."""

    data: str
    """Name of the data set."""
    validation: int
    """Images on which all are asked."""
    networks: tuple[Entrant, ...]
    tasks: tuple[Task, ...]
    sizes: tuple[int, ...]
    repeats: int
    schedule: str
    """How long each training is, in words."""
    cells: tuple[Cell, ...]
    differences: tuple[Difference, ...]
    pairs: tuple[Pair, ...]
    claims: tuple[Claim, ...]
    matrix: ConvolutionMatrix
    """A small convolution as the dense layer that it is."""
    matrix_error: float
    """The largest difference between its product with an image and torch's convolution."""

    def cell(self, task: str, network: str, images: int) -> Cell:
        """The one of a task, a network and a number of images.

        Raises: KeyError for what was not trained.
        """
        return {(one.task, one.network, one.images): one for one in self.cells}[task, network, images]


def prior_document(facts: PriorFacts) -> dict[str, Any]:
    """What `--json` prints."""
    names = ("data", "validation", "sizes", "repeats", "schedule", "networks", "tasks", "pairs")
    document: dict[str, Any] = {"title": "What a convolution assumes"}
    document |= {name: plain(getattr(facts, name)) for name in names}
    document["cells"] = [plain(one) | {"mean": plain(one.mean)} for one in facts.cells]
    document["differences"] = [plain(one) | {"mean": plain(one.mean)} for one in facts.differences]
    document["matrix"] = matrix_document(facts.matrix, facts.matrix_error)
    document["claims"] = [plain(one.as_json()) for one in facts.claims]
    return document
