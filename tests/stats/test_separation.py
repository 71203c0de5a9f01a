"""Against scikit-learn, and against the equation that the interval solves."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cnnlab.stats.separation import accepted, accepting_threshold, auroc, auroc_interval, false_accepts

SCORES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=20)


@given(SCORES, SCORES)
def test_the_area_is_that_of_scikit_learn_ties_among_them(ours: list[float], theirs: list[float]) -> None:
    expected = roc_auc_score([1] * len(ours) + [0] * len(theirs), ours + theirs)
    assert auroc(torch.tensor(ours), torch.tensor(theirs)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("area", "n", "m"), [(0.8, 40, 60), (0.5, 5, 9), (0.97, 300, 20)])
def test_an_end_of_the_interval_is_as_far_as_its_own_deviation_allows(area: float, n: int, m: int) -> None:
    found = auroc_interval(area, n, m)
    for end in (found.low, found.high):
        one, two, pairs = end / (2 - end), 2 * end**2 / (1 + end), (n + m) / 2 - 1
        variance = (end * (1 - end) + pairs * (one - end**2) + pairs * (two - end**2)) / (n * m)
        assert abs(area - end) == pytest.approx(1.959964 * math.sqrt(variance), abs=1e-5)


def test_without_an_error_the_interval_still_has_a_width() -> None:
    assert auroc_interval(1.0, 20, 20).high == 1.0
    assert 0.8 < auroc_interval(1.0, 20, 20).low < auroc_interval(1.0, 200, 200).low < 1.0
    assert auroc_interval(0.0, 20, 20).low == 0.0


@given(SCORES, st.floats(0.01, 1))
def test_the_threshold_accepts_the_share_and_no_larger_one_would(scores: list[float], share: float) -> None:
    values = torch.tensor(scores)
    threshold = accepting_threshold(values, share)
    assert accepted(values, threshold) >= share * len(scores) - 1e-6
    larger = [one for one in scores if one > threshold]
    assert not larger or accepted(values, min(larger)) < share * len(scores)


def test_who_gets_in_rises_with_who_is_accepted() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = torch.randn(50, generator=generator) + 1, torch.randn(40, generator=generator)
    found = false_accepts(ours, theirs, torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64))
    assert bool((found.diff() >= 0).all())
    assert found[-1] == float((theirs >= ours.min()).double().mean())


def test_no_scores_have_no_area() -> None:
    with pytest.raises(ValueError, match="0 scores against 1"):
        auroc(torch.empty(0), torch.zeros(1))
