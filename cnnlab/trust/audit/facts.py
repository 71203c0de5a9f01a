"""The facts of an audit: images with the place of their evidence, means, suspects and limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.trust.audit.evidence import EvidenceSummary, ImageEvidence, JudgedLimit
from cnnlab.view.json import without

MOST_REASONS = 8
"""Sentences for groups; the table has all of them."""


@dataclass(frozen=True)
class AuditedImage:
    """One image, and where the evidence for the network's answer lies in it."""

    number: int
    """Within its part, from 0."""
    name: str
    """Its path, or such as validation/17."""
    group: str | None
    truth: str
    predicted: str
    probability: float
    """Probability of the predicted class, 0 … 1."""
    evidence: ImageEvidence


@dataclass(frozen=True, eq=False)
class Suspect:
    """An image to be shown."""

    audited: AuditedImage
    image: NDArray[np.uint8]
    """[h, w, 1 or 3]."""
    density: NDArray[np.float64]
    """[h, w], the positive evidence divided by its mean."""
    mask: NDArray[np.bool_] | None


@dataclass(frozen=True, eq=False)
class MeanEvidence:
    """The mean over images of each one's evidence, divided by its mean, so that every image counts the same."""

    name: str
    n: int
    density: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EvidenceFacts:
    """The whole audit."""

    run: str
    split: str
    method: str
    options: Mapping[str, Any]
    """Options of the method."""
    layers: tuple[str, ...]
    reason: str
    """Why this method."""
    seed: int
    trained: bool
    """Whether the network is."""
    accuracy: float
    images: tuple[AuditedImage, ...]
    summary: EvidenceSummary
    even: dict[str, float | None]
    """What evidence that is spread evenly has on the object, in the border and in the corners."""
    by: str | None
    groups: tuple[EvidenceSummary, ...]
    limits: tuple[JudgedLimit, ...]
    means: tuple[MeanEvidence, ...]
    suspects: tuple[Suspect, ...]
    """The most suspicious first."""
    notes: tuple[str, ...]

    @property
    def broken(self) -> tuple[JudgedLimit, ...]:
        """The limits that are."""
        return tuple(limit for limit in self.limits if limit.broken)

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each limit that all images break; where there is none, for those that groups break."""
        whole = [limit.sentence for limit in self.broken if limit.group is None]
        if whole or not self.broken:
            return tuple(whole)
        more = len(self.broken) - MOST_REASONS
        return (
            *(limit.sentence for limit in self.broken[:MOST_REASONS]),
            *([f"and {more} more limits in other groups"] if more > 0 else []),
        )


def evidence_document(facts: EvidenceFacts) -> dict[str, Any]:
    """The document for JSON; shares are 0 … 1."""
    worst_first = sorted(facts.images, key=lambda one: (not one.evidence.evident, -one.evidence.suspicion, one.number))
    return {
        "run": facts.run,
        "split": facts.split,
        "n": len(facts.images),
        "method": facts.method,
        "options": facts.options,
        "layers": list(facts.layers),
        "reason": facts.reason,
        "seed": facts.seed,
        "trained": facts.trained,
        "accuracy": facts.accuracy,
        "held": not facts.broken,
        "broken": [limit.sentence for limit in facts.broken],
        "limits": [vars(one) | {"close": one.close, "sentence": one.sentence} for one in facts.limits],
        "spread_evenly": facts.even,
        "all": facts.summary,
        "by": facts.by,
        "groups": facts.groups,
        "pictures": [without(one, "evidence") | without(one.evidence, "index") for one in worst_first],
        "notes": list(facts.notes),
    }
