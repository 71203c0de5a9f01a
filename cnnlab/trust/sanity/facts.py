"""What randomisation did to maps, as facts: how much of them is left at each depth, and the verdict on each method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.attribution.catalog import METHODS
from cnnlab.trust.sanity.similarity import SanityVerdict
from cnnlab.trust.sanity.weights import WeightRandomization

LEARNED = 0.95
"""Share of the permuted labels that a network must have right to count as one that learned them."""


@dataclass(frozen=True)
class LabelTraining:
    """What the second network of the label test was trained on, and how well it learned that."""

    pictures: int
    """Training images, with permuted labels."""
    epochs: int
    steps: int
    accuracy: float
    """Accuracy on those images and labels, 0 … 1."""
    chance: float
    """What the most frequent label alone would give."""

    @property
    def learned(self) -> bool:
        """Whether it learned the permuted labels, so that the test means something."""
        return self.accuracy >= LEARNED

    @property
    def sentence(self) -> str:
        """The training in one line."""
        said = (
            f"{100 * self.accuracy:.1f} % of {self.pictures} permuted labels right after {self.epochs} epochs "
            f"({self.steps} steps); {100 * self.chance:.1f} % is chance"
        )
        if self.learned:
            return said
        return f"{said}: it has not learned them, and says no more than random weights; more epochs give it longer"


@dataclass(frozen=True)
class LabelTest:
    """The label test: the training of the second network, and what came out."""

    training: LabelTraining
    verdicts: tuple[SanityVerdict, ...]


@dataclass(frozen=True, eq=False)
class ShownStage:
    """The map of the shown image by one method, once `depth` layers are randomised."""

    method: str
    depth: int
    layer: str | None
    """The last one that was randomised."""
    map: NDArray[np.float32]
    """[h, w], signed, in the method's own unit."""


@dataclass(frozen=True, eq=False)
class SanityFacts:
    """The whole check."""

    run: str
    split: str
    n: int
    seed: int
    trained: bool
    """Whether the network is."""
    at: tuple[str, ...]
    """The layer that class activation maps look at; none where no method does."""
    options: Mapping[str, Mapping[str, Any]]
    """Options of each method."""
    cascading: WeightRandomization
    independent: WeightRandomization
    labels: LabelTest | None
    image: NDArray[np.uint8]
    """The shown image, [h, w, 1 or 3]."""
    shown: str
    """Its name."""
    stages: tuple[ShownStage, ...]
    notes: tuple[str, ...]

    @property
    def verdicts(self) -> tuple[SanityVerdict, ...]:
        """Verdict on each method, with all weights randomised."""
        return tuple(one.verdict for one in self.cascading.methods if one.verdict is not None)


def sanity_document(facts: SanityFacts) -> dict[str, Any]:
    """The document for JSON; correlations and SSIM are −1 … 1."""
    return {
        "run": facts.run,
        "split": facts.split,
        "n": facts.n,
        "seed": facts.seed,
        "trained": facts.trained,
        "layer": list(facts.at),
        "methods": _verdicts(facts.verdicts, facts.options),
        "layers": [vars(layer) for layer in facts.cascading.layers],
        "cascading": _depths(facts.cascading),
        "independent": _depths(facts.independent),
        "labels": None if facts.labels is None else _label_test(facts.labels, facts.options),
        "notes": list(facts.notes),
    }


def _label_test(test: LabelTest, options: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    told = {"learned": test.training.learned, "sentence": test.training.sentence}
    return vars(test.training) | told | {"methods": _verdicts(test.verdicts, options)}


def _verdicts(verdicts: Sequence[SanityVerdict], options: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "label": METHODS[one.name].label,
            "options": options[one.name],
            "outcome": one.outcome,
            "sentence": one.sentence,
            "against": one.against,
            **vars(one.similarity),
        }
        for one in verdicts
    ]


def _depths(outcome: WeightRandomization) -> dict[str, list[dict[str, Any]]]:
    return {
        one.name: [
            {"depth": step.depth, "layer": step.layer.name, "how": step.layer.how, **vars(step.similarity)}
            for step in one.depths
        ]
        for one in outcome.methods
    }
