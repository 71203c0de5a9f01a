import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.stats.confidence import Interval, mean_interval, wilson_interval


@settings(deadline=None)
@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_solves_its_equation(case: tuple[int, int]) -> None:
    """Each bound p satisfies |k/n − p| = z·√(p(1−p)/n), which is where Wilson's formula comes from."""
    successes, n = case
    interval = wilson_interval(successes, n)
    assert 0 <= interval.low <= successes / n <= interval.high <= 1
    for bound in (interval.low, interval.high):
        assert abs(successes / n - bound) == pytest.approx(
            1.959963984540054 * math.sqrt(max(0.0, bound * (1 - bound)) / n), abs=1e-7
        ) or bound in (0.0, 1.0)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # R: binom::binom.confint(k, n, methods = "wilson"); prop.test(k, n, correct = FALSE)
    [
        (81, 263, 0.2553, 0.3662),
        (0, 20, 0.0, 0.1611),
        (20, 20, 0.8389, 1.0),
        (15, 148, 0.0624, 0.1605),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_of_newcombe_1998(successes: int, n: int, low: float, high: float) -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998), table I."""
    interval = wilson_interval(successes, n)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_mean_interval_of_three_seeds() -> None:
    result = mean_interval([0.84, 0.85, 0.86])
    half = 4.302652729749462 * 0.01 / math.sqrt(3)
    assert (result.mean, result.deviation, result.n) == (pytest.approx(0.85), pytest.approx(0.01), 3)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == (pytest.approx(0.85 - half), pytest.approx(0.85 + half))


def test_one_repeat_has_no_interval() -> None:
    assert mean_interval([0.9]).interval is None


def test_equal_repeats_have_an_interval_of_no_width() -> None:
    assert mean_interval([0.5, 0.5]).interval == Interval(0.5, 0.5)


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (0, 0)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{successes} successes of {n}"):
        wilson_interval(successes, n)
