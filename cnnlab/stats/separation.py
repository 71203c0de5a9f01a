"""How well a score tells two groups apart: area under the ROC curve, and who gets past a threshold."""

import math
from statistics import NormalDist

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from cnnlab.stats.confidence import LEVEL, Interval


def auroc(ours: Float[Tensor, "n"], theirs: Float[Tensor, "m"]) -> float:
    """How often one of `ours` has a larger score than one of `theirs`, 0 … 1; equal scores count half.

    The Mann-Whitney statistic over n·m (Hanley and McNeil 1982, Radiology 143(1)).

    Raises: ValueError where either group is empty.

    Example:
        >>> auroc(torch.tensor([3.0, 2.0]), torch.tensor([1.0, 2.0]))
        0.875
    """
    n, m = len(ours), len(theirs)
    if not n or not m:
        raise ValueError(f"{n} scores against {m}: expected one of each at least")
    ordered = theirs.double().sort().values
    values = ours.double().contiguous()
    below = torch.searchsorted(ordered, values, right=False)
    up_to = torch.searchsorted(ordered, values, right=True)
    return float((below + up_to).double().sum() / (2 * n * m))


def auroc_interval(area: float, n: int, m: int) -> Interval:
    """The 95 % interval of an area under the ROC curve of n against m scores; sound at 0 and 1, too.

    The areas θ with |area − θ| ≤ z·√V(θ), V Hanley and McNeil's variance for exponential scores with (n + m)/2 − 1 in
    place of n − 1 and m − 1: R. G. Newcombe, Statistics in Medicine 25 (2006) 559-573, method 5.

    Arguments:
        area: 0 … 1.
        n, m: how many scores either group has, 1 or more.
    """
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    pairs = (n + m) / 2 - 1

    def spread(theta: float) -> float:
        return math.sqrt(
            theta * (1 - theta) * (1 + pairs * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (n * m)
        )

    def end(beyond: float) -> float:
        within = area
        for _ in range(60):
            middle = (within + beyond) / 2
            if abs(area - middle) <= z * spread(middle):
                within = middle
            else:
                beyond = middle
        return within

    # at 0 and 1 the variance is 0: the end is the area itself there
    return Interval(0.0 if area == 0 else end(0.0), 1.0 if area == 1 else end(1.0))


def accepting_threshold(scores: Float[Tensor, "n"], share: float) -> float:
    """The largest threshold with which at least `share` of `scores` are accepted, which are those not below it.

    Arguments:
        scores: of what should be accepted; larger is more like it.
        share: above 0 and up to 1.

    Example:
        >>> accepting_threshold(torch.tensor([1.0, 2.0, 3.0, 4.0]), 0.75)
        2.0
    """
    most_rejected = len(scores) - math.ceil(share * len(scores) - 1e-9)
    return float(scores.double().sort().values[most_rejected])


def accepted(scores: Float[Tensor, "n"], threshold: float) -> int:
    """How many are not below the threshold."""
    return int((scores.double() >= threshold).sum())


def false_accepts(
    ours: Float[Tensor, "n"], theirs: Float[Tensor, "m"], shares: Float64[Tensor, "k"]
) -> Float64[Tensor, "k"]:
    """The share of `theirs` that gets in where the threshold accepts each of `shares` of `ours`, all in 0 … 1."""
    thresholds = [accepting_threshold(ours, share) for share in shares.tolist()]
    return torch.tensor([accepted(theirs, one) / len(theirs) for one in thresholds], dtype=torch.float64)
