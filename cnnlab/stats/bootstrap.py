"""Means over images with bootstrap intervals: no assumption on how a measure is spread over images.

The expanded percentile interval (Hesterberg 2015, "What teachers should know about the bootstrap", section 5.3):
images are drawn with replacement, as in Efron 1979, and the interval holds as much of the means' middle as makes it
as wide as Student's t is for so few images. The middle 95 % alone would be too narrow: with 6 images, 1 in 7 of
such intervals of differences that are chance would miss 0.
"""

from math import sqrt
from statistics import stdev

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from cnnlab.stats.confidence import Interval, MeanInterval

RESAMPLES = 2000


def bootstrap_mean(
    values: Float[Tensor, "n"], *, seed: int, level: float = 0.95, resamples: int = RESAMPLES
) -> MeanInterval:
    """The mean of one value per image; with one image there is neither deviation nor interval.

    Equal lengths and seeds draw the same images, so that two measures of the same images are comparable.

    Raises: ValueError without values, where one is not finite, or unless 0 < level < 1.
    """
    values = values.detach().cpu().double()
    n = len(values)
    if n == 0:
        raise ValueError("no values to average")
    if not bool(values.isfinite().all()):
        raise ValueError(f"value {int((~values.isfinite()).nonzero()[0, 0])} is not finite")
    if not 0 < level < 1:
        raise ValueError(f"a confidence level of {level}: expected a number between 0 and 1, such as 0.95")
    mean = float(values.mean())
    if n == 1:
        return MeanInterval(mean, None, None, 1)
    means = resampled_means(values, torch.Generator().manual_seed(seed), count=resamples)
    tail = _tail(n, level)
    low, high = torch.quantile(means, torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return MeanInterval(mean, stdev(values.tolist()), Interval(low, high), n)


def resampled_means(
    values: Float64[Tensor, "n"], generator: torch.Generator, *, count: int = RESAMPLES
) -> Float64[Tensor, "count"]:
    """The means of `count` draws of n of `values`, with replacement."""
    n = len(values)
    means = torch.empty(count, dtype=torch.float64)
    # a block at a time: 2000 draws of 10 000 images at once would be 160 MB
    rows = max(1, 1_000_000 // n)
    for start in range(0, count, rows):
        drawn = torch.randint(n, (min(rows, count - start), n), generator=generator)
        means[start : start + rows] = values[drawn].mean(1)
    return means


def _tail(n: int, level: float) -> float:
    """The share of the means that is left out at each end: (1 − level)/2 for many images, less for few."""
    from scipy.stats import norm, t

    return float(norm.cdf(-sqrt(n / (n - 1)) * t.ppf((1 + level) / 2, n - 1)))


def paired_difference(ours: Float[Tensor, "n"], theirs: Float[Tensor, "m"], *, seed: int) -> MeanInterval:
    """The mean of `ours` − `theirs` over the same images: what they have in common drops out.

    Raises: ValueError as `bootstrap_mean`, or where the lengths differ.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} values against {len(theirs)}: a pair needs the same images")
    return bootstrap_mean(ours.detach().cpu().double() - theirs.detach().cpu().double(), seed=seed)
