"""The facts of the parts that take seconds, put together for report and JSON."""

from dataclasses import dataclass

from cnnlab.probe.norm.activations import LayerState
from cnnlab.probe.norm.agreement import FormulaFacts, LayerAgreement
from cnnlab.probe.norm.batch_mates import Mates
from cnnlab.probe.norm.batch_statistics import LayerScatter
from cnnlab.probe.norm.folding import Scaled
from cnnlab.probe.norm.running_averages import KeptStatistics, ModeGap, RunningCourse


@dataclass(frozen=True)
class FormulasFacts:
    """How far the formulas are from torch."""

    kinds: FormulaFacts
    """On the tensor of the chapter's exercise."""
    layers: tuple[LayerAgreement, ...]
    """On what the network's own norms are given."""


@dataclass(frozen=True)
class StateFacts:
    """The layers of the network as it is."""

    layers: tuple[LayerState, ...]
    images: int
    """Of the batch."""
    split: str


@dataclass(frozen=True)
class ModesFacts:
    """The same images among other ones."""

    mates: tuple[Mates, ...]
    split: str


@dataclass(frozen=True)
class StatisticsFacts:
    """Batch statistics by the size of the batch."""

    layers: tuple[LayerScatter, ...]
    """Independent values first, then layers of the network."""
    split: str
    untouched: bool
    """Whether no batch has gone into the running statistics: then the layers before one are in training mode, too."""


@dataclass(frozen=True)
class RunningFacts:
    """Running statistics on their way, and those that the network has."""

    courses: tuple[RunningCourse, ...]
    """Independent values first, then layers of the network."""
    kept: tuple[KeptStatistics, ...]
    gaps: tuple[ModeGap, ...]
    split: str
    untouched: bool


@dataclass(frozen=True)
class FoldingFacts:
    """Layers whose output goes straight to a batch norm."""

    layers: tuple[Scaled, ...]
    batch_norms: int
    """Batch norms in all."""

    @property
    def redundant(self) -> int:
        """Numbers in biases that a batch norm takes away."""
        return sum(one.follows.bias for one in self.layers)
