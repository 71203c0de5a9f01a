"""Where one curve over the number of images passes another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cnnlab.stats.confidence import Interval, MeanInterval


@dataclass(frozen=True)
class Crossing:
    """A number of images at which neither of two networks is ahead."""

    images: float
    interval: Interval | None
    """Of the difference of their accuracies there."""
    sure: bool
    """Whether the intervals at the sizes on both sides leave 0 out."""


def crossings(sizes: Sequence[int], differences: Sequence[MeanInterval | None]) -> tuple[Crossing, ...]:
    """Find where a difference changes its sign, along straight lines over the logarithm of the size.

    Arguments:
        sizes: numbers of images, ascending.
        differences: at each size; None where nothing was measured.

    Returns:
        One for each change of sign, from few images to many; none where one network is ahead at all sizes.

    Example:
        >>> found = crossings([100, 10_000], [MeanInterval(-0.1, None, None, 1), MeanInterval(0.1, None, None, 1)])
        >>> round(found[0].images), found[0].interval, found[0].sure
        (1000, None, False)
    """
    known = [(size, one) for size, one in zip(sizes, differences, strict=True) if one is not None and one.mean != 0]
    found = []
    for (here, low), (there, high) in pairwise(known):
        if (low.mean < 0) == (high.mean < 0):
            continue
        share = low.mean / (low.mean - high.mean)
        images = math.exp(math.log(here) + share * math.log(there / here))
        interval = None
        if low.interval is not None and high.interval is not None:
            ends = (
                (1 - share) * a + share * b
                for a, b in ((low.interval.low, high.interval.low), (low.interval.high, high.interval.high))
            )
            interval = Interval(*ends)
        found.append(Crossing(images, interval, _leaves_out_0(low) and _leaves_out_0(high)))
    return tuple(found)


def _leaves_out_0(one: MeanInterval) -> bool:
    return one.interval is not None and (one.interval.low > 0 or one.interval.high < 0)
