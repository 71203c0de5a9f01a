"""How narrow a map's evidence is: the share in its strongest pixels, and Gini's index.

Neither says that a map is right: a random point is as narrow as it gets. Gini's index as a measure of sparseness:
Hurley & Rickard 2009, arXiv:0811.4706, table I; for explanations: Chalasani et al. 2020, arXiv:1810.06583, section 5.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from cnnlab.attribution.maps import positive_scaled

TOP = 0.1


def top_share(maps: Float[Tensor, "n h w"], *, share: float = TOP) -> Float[Tensor, "n"]:
    """The part of a map's positive evidence in its strongest pixels, 0 … 1, in float64; 0 for a map without any.

    The strongest pixels are round(`share`·pixels), at least one; of a uniform map they hold just their share.

    Raises: ValueError unless 0 < `share` ≤ 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}, expected more than 0 and at most 1")
    evidence = positive_scaled(maps.cpu()).double().flatten(1)
    strongest = evidence.topk(max(1, round(share * evidence.shape[1])), dim=1).values.sum(1)
    return strongest / _total(evidence)


def gini(maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n"]:
    """Gini's index of the positive part, in float64: 0 where all pixels are equal, 1 − 1/pixels with a single one.

    0 for a map without positive evidence.
    """
    evidence = positive_scaled(maps.cpu()).double().flatten(1).sort(1).values
    pixels = evidence.shape[1]
    weights = (2 * torch.arange(1, pixels + 1) - pixels - 1).double()
    return ((evidence * weights).sum(1) / (pixels * _total(evidence))).clamp(min=0)


def _total(evidence: Tensor) -> Tensor:
    total = evidence.sum(1)
    return torch.where(total > 0, total, torch.ones_like(total))
