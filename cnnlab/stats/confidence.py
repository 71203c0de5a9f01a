"""How sure a number is: intervals for a share of successes and for a mean over repeats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev


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
    z = NormalDist().inv_cdf((1 + 0.95) / 2)
    share = successes / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends the bound is exactly 0 or 1; rounding would miss it by 1e-17.
    return Interval(0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half)


def mean_interval(values: Sequence[float], *, level: float = 0.95) -> MeanInterval:
    """Mean, standard deviation and Student's t interval of independent repeats, such as seeds.

    Raises: ValueError without values, or unless 0 < level < 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"a confidence level of {level}: expected a number between 0 and 1, such as 0.95")
    if not values:
        raise ValueError("no values to average")
    n, mean = len(values), fmean(values)
    if n == 1:
        return MeanInterval(mean, None, None, 1)
    deviation = stdev(values)
    # scipy.stats takes half a second to import, and few commands need it
    from scipy.stats import t

    half = float(t.ppf((1 + level) / 2, n - 1)) * deviation / math.sqrt(n)
    return MeanInterval(mean, deviation, Interval(mean - half, mean + half), n)
