"""How much two maps of an image are alike: rank correlation, with and without sign, and structural similarity.

The measures of Adebayo et al. 2018, arXiv:1810.03292, section 4. SSIM: Wang et al. 2004, "Image quality assessment",
equation 13, with its 11×11 Gaussian window of σ = 1.5. SSIM is high between any two maps that are mostly empty,
whatever the rest: it is given beside the correlations, and decides nothing.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cnnlab.attribution.maps import at_image_size, varies

WINDOW_RADIUS = 5
SIGMA = 1.5


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
