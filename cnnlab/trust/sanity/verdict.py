"""Whether a method's maps changed as much as they should: thresholds on rank correlations, and the sentence for it."""

from dataclasses import dataclass
from typing import Literal

from cnnlab.attribution.measures.verdict import FEWEST
from cnnlab.core.seeds import derive_seed
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean
from cnnlab.trust.sanity.similarity import MapSimilarity
from cnnlab.view.blocks import interval_text

Outcome = Literal["passes", "passes in sign only", "fails", "undecided", "no maps"]

SMALL = 0.25
"""A rank correlation up to which maps count as different: 6 % of the variance of the ranks in common. On small networks
trained on CIFAR-10 the gradient keeps 0.17, deconvolution 0.35 and guided backpropagation, which is known to restore
the image whatever the weights, 0.45."""


@dataclass(frozen=True)
class SimilaritySummary:
    """Means over the images whose first map says something; None where there is none."""

    signed: MeanInterval | None
    absolute: MeanInterval | None
    ssim: MeanInterval | None
    flat: int
    """Images left out, whose first map has one value everywhere."""
    vanished: int
    """Images whose second map has: these count as without similarity."""


@dataclass(frozen=True)
class SanityVerdict:
    """What the similarity between a method's maps of two networks says of the method."""

    name: str
    outcome: Outcome
    similarity: SimilaritySummary
    against: str
    """What the second network is, such as "all 8 layers randomised"."""

    @property
    def sentence(self) -> str:
        """The method and its finding, in one line."""
        return f"{self.name}: {self.finding}"

    @property
    def finding(self) -> str:
        """The outcome with its figures and what it means."""
        if self.outcome == "no maps":
            return "no maps: each has one value everywhere, and there is nothing to compare"
        meaning = {
            "passes": "the maps depend on what the network has learned",
            "passes in sign only": "where the map is strong depends little on what was learned, only its sign does",
            "fails": "the maps depend little on what the network has learned",
            "undecided": "too near the limit, or too few images, to tell",
        }[self.outcome]
        numbers = ", ".join(
            f"{what} {interval_text(mean, '.2f')}"
            for what, mean in (
                ("rank correlation", self.similarity.signed),
                ("of absolute values", self.similarity.absolute),
                ("SSIM", self.similarity.ssim),
            )
            if mean
        )
        return f"{self.outcome}: {meaning}; with {self.against}: {numbers} (small is within ±{SMALL})"


def summarize_similarity(similarity: MapSimilarity, *, seed: int) -> SimilaritySummary:
    """Means with bootstrap intervals over the images."""
    seed = derive_seed(seed, "bootstrap")
    kept = ~similarity.flat[:, 0]
    some = bool(kept.any())
    return SimilaritySummary(
        bootstrap_mean(similarity.signed[kept], seed=seed) if some else None,
        bootstrap_mean(similarity.absolute[kept], seed=seed) if some else None,
        bootstrap_mean(similarity.ssim[kept], seed=seed) if some else None,
        flat=int((~kept).sum()),
        vanished=int((similarity.flat[:, 1] & kept).sum()),
    )


def sanity_verdict(name: str, similarity: SimilaritySummary, *, against: str) -> SanityVerdict:
    """Judge by the 95 % intervals of both rank correlations, whose signs do not matter: an inverted map is a copy too.

    "fails" where that of the values lies beyond ±`SMALL`; "passes in sign only" where just that of the absolute values
    does; "passes" where both lie within; otherwise, and with fewer than `FEWEST` maps, "undecided". To pass does not
    make a map right: noise passes.
    """
    return SanityVerdict(name, _outcome(similarity), similarity, against)


def _outcome(similarity: SimilaritySummary) -> Outcome:
    if similarity.signed is None or similarity.absolute is None:
        return "no maps"
    if similarity.signed.n < FEWEST:
        return "undecided"
    if _beyond(similarity.signed):
        return "fails"
    if _beyond(similarity.absolute):
        return "passes in sign only"
    return "passes" if _within(similarity.signed) and _within(similarity.absolute) else "undecided"


def _beyond(mean: MeanInterval) -> bool:
    return mean.interval is not None and (mean.interval.low > SMALL or mean.interval.high < -SMALL)


def _within(mean: MeanInterval) -> bool:
    return mean.interval is not None and mean.interval.low >= -SMALL and mean.interval.high <= SMALL
