"""How sure a number is: intervals for a share of successes, for a mean over repeats, and for a mean over images.

Over images they are bootstrap intervals, with no assumption on how a measure is spread: the expanded percentile
interval (Hesterberg 2015, "What teachers should know about the bootstrap", section 5.3). Images are drawn with
replacement, as in Efron 1979, and the interval holds as much of the means' middle as makes it as wide as Student's t
is for so few images. The middle 95 % alone would be too narrow: with 6 images, 1 in 7 of such intervals of differences
that are chance would miss 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist, fmean, stdev

import torch
from jaxtyping import Float, Float64
from torch import Tensor

LEVEL = 0.95
"""How often an interval holds what it is an interval of."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A confidence interval, in the unit of what it is an interval of."""

    low: float
    high: float


@dataclass(frozen=True)
class MeanInterval:
    """The mean over repeats; with one repeat there is no deviation, and no interval."""

    mean: float
    deviation: float | None
    """Sample standard deviation (n − 1 in the denominator)."""
    interval: Interval | None
    n: int


def wilson_interval(successes: int, n: int) -> Interval:
    """The 95 % score interval of a share: sound near 0 and 1, where p ± 1.96·√(p(1−p)/n) leaves the unit interval.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Raises: ValueError unless 0 ≤ successes ≤ n and n ≥ 1.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}: expected 0 to n of at least 1")
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share = successes / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends the bound is exactly 0 or 1; rounding would miss it by 1e-17.
    return Interval(0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half)


def share_difference(
    first: tuple[float, Interval], second: tuple[float, Interval], *, correlation: float = 0.0
) -> Interval:
    """The 95 % interval of `first` − `second`, two shares with Wilson's intervals.

    R. G. Newcombe, Statistics in Medicine 17 (1998): the distances to the intervals' ends, squared and added (page 873,
    of independent images), less twice their product times the `correlation` (page 2635, of the same images).

    Arguments:
        first: a share, 0 … 1, and its interval.
        second: another.
        correlation: of successes in the one and in the other, −1 … 1; 0 where their images are not the same.

    Example:
        >>> found = share_difference((56 / 70, wilson_interval(56, 70)), (48 / 80, wilson_interval(48, 80)))
        >>> round(found.low, 4), round(found.high, 4)
        (0.0524, 0.3339)
    """
    (a, of_a), (b, of_b) = first, second

    def distance(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))

    below, above = distance(a - of_a.low, of_b.high - b), distance(of_a.high - a, b - of_b.low)
    return Interval(max(-1.0, a - b - below), min(1.0, a - b + above))


def mean_interval(values: Sequence[float]) -> MeanInterval:
    """Mean, standard deviation and Student's 95 % t interval of independent repeats, such as seeds.

    Raises: ValueError without values.
    """
    if not values:
        raise ValueError("no values to average")
    n, mean = len(values), fmean(values)
    if n == 1:
        return MeanInterval(mean, None, None, 1)
    deviation = stdev(values)
    half = student(n - 1) * deviation / math.sqrt(n)
    return MeanInterval(mean, deviation, Interval(mean - half, mean + half), n)


@cache
def student(freedom: int) -> float:
    """The quantile of Student's t that ends the middle 95 %, for these degrees of freedom."""
    # not scipy.stats, which gives the same but takes half a second to import and milliseconds a value
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2))


def bootstrap_mean(values: Float[Tensor, "n"], *, seed: int, resamples: int = RESAMPLES) -> MeanInterval:
    """The mean of one value per image, with its 95 % interval; with one image there is neither deviation nor interval.

    Equal lengths and seeds draw the same images, so that two measures of the same images are comparable.

    Raises: ValueError without values, or where one is not finite.
    """
    values = values.detach().cpu().double()
    n = len(values)
    if n == 0:
        raise ValueError("no values to average")
    if not bool(values.isfinite().all()):
        raise ValueError(f"value {int((~values.isfinite()).nonzero()[0, 0])} is not finite")
    mean = float(values.mean())
    if n == 1:
        return MeanInterval(mean, None, None, 1)
    means = resampled_means(values, torch.Generator().manual_seed(seed), count=resamples)
    tail = _tail(n)
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


def _tail(n: int) -> float:
    """The share of the means that is left out at each end: 2.5 % for many images, less for few."""
    from scipy.special import ndtr

    return float(ndtr(-math.sqrt(n / (n - 1)) * student(n - 1)))


def paired_difference(ours: Float[Tensor, "n"], theirs: Float[Tensor, "m"], *, seed: int) -> MeanInterval:
    """The mean of `ours` − `theirs` over the same images: what they have in common drops out.

    Raises: ValueError as `bootstrap_mean`, or where the lengths differ.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} values against {len(theirs)}: a pair needs the same images")
    return bootstrap_mean(ours.detach().cpu().double() - theirs.detach().cpu().double(), seed=seed)
