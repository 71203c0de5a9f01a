"""What was measured of networks that began with another's weights, and of networks that began with nothing."""

from dataclasses import dataclass
from typing import Any

from cnnlab.probe.transfer.arms import Arm
from cnnlab.stats.claim import Claim
from cnnlab.stats.confidence import MeanInterval
from cnnlab.stats.known import mean_of_known
from cnnlab.view.json import plain


@dataclass(frozen=True)
class Source:
    """The network whose weights are taken over."""

    name: str
    """Of its run."""
    data: str
    classes: tuple[str, ...]
    train: int
    """Images that it learned from."""
    accuracy: float | None
    """On its own validation part, 0 … 1; None without one."""


@dataclass(frozen=True)
class Cell:
    """One arm and one number of images."""

    arm: str
    """Its key."""
    images: int
    """Of each class."""
    accuracies: tuple[float | None, ...]
    """On the validation images after the last epoch, one for each repeat, 0 … 1; None where the loss diverged."""
    gains: tuple[float | None, ...]
    """The same less that of the arm from nothing, in the same repeat."""
    losses: tuple[float | None, ...] = ()
    """On the same images."""

    @property
    def mean(self) -> MeanInterval | None:
        """Of the accuracies; None where all diverged."""
        return mean_of_known(self.accuracies)

    @property
    def gain(self) -> MeanInterval | None:
        """Of the gains."""
        return mean_of_known(self.gains)


@dataclass(frozen=True, eq=False)
class TransferFacts:
    """All of it."""

    data: str
    """Name of the target's data set."""
    classes: tuple[str, ...]
    """That are learned."""
    validation: int
    """Images on which all are asked."""
    parameters: int
    source: Source
    arms: tuple[Arm, ...]
    sizes: tuple[int, ...]
    """Images of each class."""
    repeats: int
    schedule: str
    """How long each training is, in words."""
    cells: tuple[Cell, ...]
    claims: tuple[Claim, ...]

    def cell(self, arm: str, images: int) -> Cell:
        """The one of an arm, by its key, and a number of images of each class.

        Raises: KeyError for what was not trained.
        """
        return {(one.arm, one.images): one for one in self.cells}[arm, images]


def transfer_document(facts: TransferFacts) -> dict[str, Any]:
    """What `--json` prints."""
    names = ("data", "classes", "validation", "parameters", "source", "arms", "sizes", "repeats", "schedule")
    document: dict[str, Any] = {"title": f"What the weights of {facts.source.name} are worth"}
    document |= {name: plain(getattr(facts, name)) for name in names}
    document["cells"] = [plain(one) | {"mean": plain(one.mean), "gain": plain(one.gain)} for one in facts.cells]
    document["claims"] = [plain(one.as_json()) for one in facts.claims]
    return document
