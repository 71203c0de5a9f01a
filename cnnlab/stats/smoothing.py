"""Noise of a measured curve: a smoother, the peak under it, and how much single values wobble."""

import math
from collections.abc import Sequence
from statistics import median


def smooth(values: Sequence[float]) -> list[float]:
    """Running median of three, which removes single spikes and leaves trends; fewer than five values stay as they are.

    At both ends Tukey's rule: the median of the value, its smoothed neighbour, and the neighbours' line prolonged
    (J. W. Tukey, "Exploratory data analysis", 1977, chapter 7).
    """
    if len(values) < 5:
        return list(values)
    inner = [median(values[i - 1 : i + 2]) for i in range(1, len(values) - 1)]
    first = median([values[0], inner[0], 3 * inner[0] - 2 * inner[1]])
    last = median([values[-1], inner[-1], 3 * inner[-1] - 2 * inner[-2]])
    return [first, *inner, last]


def peak(values: Sequence[float], smoothed: Sequence[float]) -> int:
    """Find the highest of the `smoothed` values, or beside it the highest measured one: smoothing shifts by one."""
    near = max(range(len(smoothed)), key=smoothed.__getitem__)
    return max(range(max(0, near - 1), min(len(values), near + 2)), key=values.__getitem__)


def wobble(values: Sequence[float]) -> float:
    """Standard deviation of one value, from how the second half departs from a straight line through its neighbours.

    A trend, however steep, is no wobble: of x[i−1] − 2x[i] + x[i+1] the variance is 6 times that of x. The median
    deviation times 1.4826 estimates it without being moved by single spikes.
    """
    late = values[max(0, len(values) // 2 - 1) :]
    if len(late) < 5:
        return 0.0
    bends = [abs(a - 2 * b + c) for a, b, c in zip(late, late[1:], late[2:], strict=False)]
    return 1.4826 * median(bends) / math.sqrt(6)
