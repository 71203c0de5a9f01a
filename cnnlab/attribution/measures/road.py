"""ROAD, "remove and debias": the target's probability when the most, or the least, relevant pixels are imputed away.

Rong et al. 2022, arXiv:2202.00449. MoRF removes the most relevant first (the probability should fall), LeRF the least
relevant first (it should stay). The two are read together, (LeRF − MoRF)/2, since the outline of what was removed
hurts, or helps, both alike. Here with the probability of the target in place of the accuracy: one value per image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.attribution.measures.imputation import impute
from cnnlab.attribution.measures.probability import composite_probabilities
from cnnlab.attribution.measures.ranking import Ranking
from cnnlab.core.seeds import derive_seed

PERCENTILES = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0)

NOISE = 0.01
"""Standard deviation of the noise on imputed pixels, in the units of the normalised image: that of the authors."""


@dataclass(frozen=True, eq=False)
class Road:
    """The probability of each image's target after a removal; `p` is the number of percentiles."""

    percentiles: tuple[float, ...]
    """Percentages of the pixels removed, 0 … 100."""
    morf: Float[Tensor, "n p"]
    """The most relevant removed …"""
    lerf: Float[Tensor, "n p"]
    """Probability without the least relevant pixels."""

    @property
    def combined(self) -> Float[Tensor, "n"]:
        """(LeRF − MoRF)/2, averaged over the percentiles, −0.5 … 0.5; 0 for an order that says nothing."""
        return (self.lerf - self.morf).mean(1) / 2


def road(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Int64[Tensor, "n"],
    ranking: Ranking,
    *,
    noise: Float[Tensor, "n c h w"],
    percentiles: Sequence[float] = PERCENTILES,
    max_batch: int = 256,
) -> Road:
    """MoRF and LeRF of each (normalised) image, in float64; at most `max_batch` imputed images exist at a time.

    Exactly round(percentile/100 · units) pixels or blocks are removed, ties or not, and never all. `noise`, from
    `road_noise`, is the same for each map, order and percentile of an image: maps do not differ by their noise.

    Raises: ValueError for no percentile, or one that is not between 0 and 100, or images of one pixel or block;
    RequestError and WorkError as `composite_probabilities`.
    """
    if not percentiles or not all(0 < percentile < 100 for percentile in percentiles):
        raise ValueError(f"percentiles {list(percentiles)}: expected one or more numbers between 0 and 100")
    if ranking.units < 2:
        raise ValueError("images of a single pixel or block: nothing would be left to impute from")
    counts = [min(round(percentile / 100 * ranking.units), ranking.units - 1) for percentile in percentiles]
    # in this order: image, MoRF or LeRF, percentile
    points = 2 * len(counts)

    def make(rows: Int64[Tensor, "b"]) -> Float[Tensor, "b c h w"]:
        return torch.stack([removed(row // points, row % points) for row in rows.tolist()])

    def removed(image: int, point: int) -> Tensor:
        least, percentile = divmod(point, len(counts))
        ranks = ranking.part(image, image + 1)
        gone = (ranks.last if least else ranks.first)(counts[percentile])[0]
        return impute(images[image], gone.to(images.device), noise=noise[image].to(images.device))

    found = composite_probabilities(model, make, targets.repeat_interleave(points), max_batch=max_batch)
    morf, lerf = found.unflatten(0, (len(images), 2, len(counts))).unbind(1)
    return Road(tuple(percentiles), morf, lerf)


def road_noise(images: Float[Tensor, "n c h w"], *, seed: int, deviation: float = NOISE) -> Float[Tensor, "n c h w"]:
    """Gaussian noise for the imputed pixels of each image, from `seed` alone."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "road"))
    return (deviation * torch.randn(images.shape, generator=generator)).to(images)
