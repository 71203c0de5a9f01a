"""Where a difference changes its sign, over the logarithm of the number of images."""

import pytest

from cnnlab.probe.prior.crossing import crossings
from cnnlab.stats.confidence import Interval, MeanInterval, mean_interval


def mean(value: float, half: float | None = None) -> MeanInterval:
    return MeanInterval(value, half, None if half is None else Interval(value - half, value + half), 3)


def test_it_is_interpolated_over_the_logarithm_with_the_interval_there() -> None:
    (found,) = crossings([100, 1000, 10_000], [mean(-0.3, 0.1), mean(-0.1, 0.02), mean(0.3, 0.06)])
    assert found.images == pytest.approx(1000 * 10**0.25)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.03, 0.03))
    assert found.sure


def test_each_change_of_sign_counts_and_none_is_an_answer() -> None:
    assert len(crossings([1, 10, 100], [mean(1.0), mean(-1.0), mean(1.0)])) == 2
    assert crossings([1, 10, 100], [mean(0.1), mean(0.2), mean(0.01)]) == ()
    assert crossings([1, 10], [None, mean(1.0)]) == ()


def test_it_is_in_doubt_where_an_interval_beside_it_holds_0() -> None:
    (found,) = crossings([10, 100], [mean(-0.1, 0.2), mean(0.1, 0.05)])
    assert not found.sure
    (alone,) = crossings([10, 100], [mean_interval([-0.1]), mean_interval([0.1])])
    assert (alone.interval, alone.sure) == (None, False)
