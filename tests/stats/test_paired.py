"""Against worked examples, exact enumeration and sums of binomial coefficients."""

import itertools
import math

import pytest
import torch

from cnnlab.stats.confidence import share_difference, wilson_interval
from cnnlab.stats.paired import PairedCounts, holm, paired_counts


def test_the_interval_is_newcombes() -> None:
    """Statistics in Medicine 17:2635 (1998): 36, 12, 2 and 0 of 50 pairs, method 10."""
    counts = PairedCounts(both=36, first_only=2, second_only=12, neither=0)
    found = counts.interval
    assert (counts.difference, found.low, found.high) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-5)
    turned = PairedCounts(both=36, first_only=12, second_only=2, neither=0).interval
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_of_independent_images_it_is_newcombes_other_one() -> None:
    """Statistics in Medicine 17:873 (1998), table II (a) and (f), method 10."""
    for (a, n), (b, m), expected in [((56, 70), (48, 80), (0.0524, 0.3339)), ((0, 10), (0, 20), (-0.1611, 0.2775))]:
        found = share_difference((a / n, wilson_interval(a, n)), (b / m, wilson_interval(b, m)))
        assert (found.low, found.high) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("shares", [(0.6, 0.15, 0.05, 0.2), (0.3, 0.3, 0.2, 0.2)])
def test_the_interval_covers_as_often_as_it_says(shares: tuple[float, float, float, float]) -> None:
    """All 165 tables of 8 images, each by its multinomial probability: nothing is drawn."""
    n, covered = 8, 0.0
    for a, b, c in itertools.product(range(n + 1), repeat=3):
        if a + b + c > n:
            continue
        counts = (a, b, c, n - a - b - c)
        found = PairedCounts(*counts).interval
        if found.low <= shares[2] - shares[1] <= found.high:
            ways = math.factorial(n) / math.prod(map(math.factorial, counts))
            covered += ways * math.prod(share**count for share, count in zip(shares, counts, strict=True))
    assert 0.93 <= covered <= 1.0


@pytest.mark.parametrize(("first", "second"), [(0, 0), (5, 0), (3, 9), (10, 10), (40, 70)])
def test_the_test_is_a_sum_of_binomial_coefficients(first: int, second: int) -> None:
    n, fewer = first + second, min(first, second)
    expected = min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n)
    assert PairedCounts(100, first, second, 7).p == pytest.approx(expected, rel=1e-12)


def test_no_image_that_sets_them_apart_leaves_something_open() -> None:
    few, many = (PairedCounts(n, 0, 0, 0).interval for n in (10, 10_000))
    assert few.low < -0.2 < 0.2 < few.high
    assert -0.001 < many.low < 0 < many.high < 0.001


def test_holm_of_his_example() -> None:
    """The smallest of m counts m times, the next m − 1 times, and none less than the one before it."""
    assert holm([0.01, 0.06, 0.02, 0.05]) == pytest.approx((0.04, 0.1, 0.06, 0.1))
    assert holm([0.7, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


def test_counts_are_of_the_same_images() -> None:
    first, second = torch.tensor([True, True, False, False, True]), torch.tensor([True, False, True, False, True])
    assert paired_counts(first, second) == PairedCounts(2, 1, 1, 1)
    with pytest.raises(ValueError, match="5 answers against 4"):
        paired_counts(first, second[:4])
