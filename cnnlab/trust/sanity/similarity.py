"""How much two maps of an image are alike, and whether that is as little as it should be: measures and a verdict.

The measures of Adebayo et al. 2018, arXiv:1810.03292, section 4. SSIM: Wang et al. 2004, "Image quality assessment",
equation 13, with its 11×11 Gaussian window of σ = 1.5. SSIM is high between any two maps that are mostly empty,
whatever the rest: it is given beside the rank correlations, with and without sign, and decides nothing.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cnnlab.attribution.maps import at_image_size, varies
from cnnlab.attribution.measures.comparison import FEWEST
from cnnlab.core.seeds import derive_seed
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean
from cnnlab.view.blocks import interval_text

WINDOW_RADIUS = 5
SIGMA = 1.5

Outcome = Literal["passes", "passes in sign only", "fails", "undecided", "no maps"]

SMALL = 0.25
"""A rank correlation up to which maps count as different: 6 % of the variance of the ranks in common. On small networks
trained on CIFAR-10 the gradient keeps 0.17, deconvolution 0.35 and guided backpropagation, which is known to restore
the image whatever the weights, 0.45."""


@dataclass(frozen=True, eq=False)
class MapSimilarity:
    """Similarity of each image's two maps, in float64; 0 where either map has one value everywhere."""

    signed: Float[Tensor, "n"]
    """Spearman's correlation of the values, −1 … 1."""
    absolute: Float[Tensor, "n"]
    """Spearman's correlation of the absolute values: where the evidence lies, whatever its sign."""
    ssim: Float[Tensor, "n"]
    """SSIM of the absolute values, each map divided by its largest, −1 … 1."""
    flat: Bool[Tensor, "n 2"]
    """Which of the two maps has one value everywhere."""


def map_similarity(
    ours: Float[Tensor, "n h1 w1"], theirs: Float[Tensor, "n h2 w2"], *, size: tuple[int, int]
) -> MapSimilarity:
    """Compare maps at `size`, that of the images, as they are looked at.

    Raises: what `at_image_size` raises.
    """
    ours, theirs = at_image_size(ours.cpu(), size), at_image_size(theirs.cpu(), size)
    flat = ~torch.stack([varies(ours), varies(theirs)], 1)
    both = ~flat.any(1)
    return MapSimilarity(
        signed=spearman(ours, theirs),
        absolute=spearman(ours.abs(), theirs.abs()),
        ssim=torch.where(both, structural_similarity(ours, theirs), torch.zeros(len(ours), dtype=torch.float64)),
        flat=flat,
    )


def spearman(ours: Float[Tensor, "n h w"], theirs: Float[Tensor, "n h w"]) -> Float[Tensor, "n"]:
    """Pearson's correlation of the ranks of each pair of maps; equal values share their mean rank.

    0 where a map has one value everywhere, so that there are no ranks to compare.
    """
    # scipy takes a quarter of a second to import
    from scipy.stats import rankdata

    ranks = [np.asarray(rankdata(maps.flatten(1).cpu().numpy(), axis=1)) for maps in (ours, theirs)]
    first, second = (torch.from_numpy(one - one.mean(1, keepdims=True)) for one in ranks)
    scale = (first.square().sum(1) * second.square().sum(1)).sqrt()
    return (first * second).sum(1) / torch.where(scale > 0, scale, torch.ones_like(scale))


def structural_similarity(ours: Float[Tensor, "n h w"], theirs: Float[Tensor, "n h w"]) -> Float[Tensor, "n"]:
    """SSIM of absolute values, each map divided by its largest; the mean over the windows that lie within the maps.

    In maps of less than 11 px the window is as large as fits, and σ shrinks with it.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    radius = min(WINDOW_RADIUS, (min(ours.shape[1:]) - 1) // 2)
    # torchmetrics derives the radius from σ, as the whole part of 3.5·σ + 0.5
    sigma = SIGMA if radius == WINDOW_RADIUS else max(radius, 0.1) / 3.5
    first, second = (_scaled(maps)[:, None] for maps in (ours, theirs))
    _, image = structural_similarity_index_measure(
        first, second, sigma=sigma, data_range=1.0, reduction="none", return_full_image=True
    )
    height, width = ours.shape[1:]
    inner: Tensor = image[:, 0, radius : height - radius, radius : width - radius]
    return inner.mean((1, 2))


def _scaled(maps: Tensor) -> Tensor:
    strength = maps.abs().double()
    largest = strength.flatten(1).amax(1)[:, None, None]
    return strength / torch.where(largest > 0, largest, torch.ones_like(largest))


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
    similarity: SimilaritySummary
    against: str
    """What the second network is, such as "all 8 layers randomised"."""

    @property
    def outcome(self) -> Outcome:
        """Judged by the 95 % intervals of both rank correlations, whose signs do not matter: an inverted map is a copy.

        "fails" where that of the values lies beyond ±`SMALL`; "passes in sign only" where just that of the absolute
        values does; "passes" where both lie within; otherwise, and with fewer than `FEWEST` maps, "undecided". So is it
        where fewer are left in the second network: no method has a map of answers that are the same for any image.
        To pass does not make a map right: noise passes.
        """
        signed, absolute = self.similarity.signed, self.similarity.absolute
        if signed is None or absolute is None:
            return "no maps"
        if signed.n < FEWEST:
            return "undecided"
        if _beyond(signed):
            return "fails"
        if _beyond(absolute):
            return "passes in sign only"
        if self._gone:
            return "undecided"
        return "passes" if _within(signed) and _within(absolute) else "undecided"

    @property
    def _gone(self) -> bool:
        """Whether maps of the second network that say something are too few."""
        signed, gone = self.similarity.signed, self.similarity.vanished
        return signed is not None and gone > 0 and signed.n - gone < FEWEST

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
            "undecided": (
                f"{self.similarity.vanished} maps are blank in the other network, as any method's would be, and too "
                "few are left"
                if self._gone
                else "too near the limit, or too few images, to tell"
            ),
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


def _beyond(mean: MeanInterval) -> bool:
    return mean.interval is not None and (mean.interval.low > SMALL or mean.interval.high < -SMALL)


def _within(mean: MeanInterval) -> bool:
    return mean.interval is not None and mean.interval.low >= -SMALL and mean.interval.high <= SMALL
