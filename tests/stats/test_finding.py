"""Average precision as scikit-learn has it, ties among it; the interval holds what it is an interval of."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from cnnlab.stats import finding
from cnnlab.stats.finding import search


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.sampled_from([3, 1000]))
def test_average_precision_is_that_of_scikit_learn(seed: int, n: int, levels: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    there = torch.rand(n, generator=generator) < 0.4
    there[0] = True
    scores = torch.randint(levels, (n,), generator=generator).double()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "RESAMPLES", 2)
        found = search(there, scores.topk(2).indices, scores)
    assert found.average_precision == pytest.approx(average_precision_score(there.numpy(), scores.numpy()))


def test_counts_and_intervals() -> None:
    generator = torch.Generator().manual_seed(0)
    there = torch.arange(400) < 100
    scores = there * 1.0 + torch.randn(400, generator=generator)
    chosen = scores.topk(50).indices
    found = search(there, chosen, scores)
    right = int((chosen < 100).sum())
    assert (found.there, found.chosen, found.right) == (100, 50, right)
    assert (found.precision, found.recall) == (right / 50, right / 100)
    for value, interval in (
        (found.precision, found.precision_interval),
        (found.recall, found.recall_interval),
        (found.average_precision, found.average_precision_interval),
    ):
        assert value is not None
        assert interval is not None
        assert interval.low < value < interval.high
    nothing = search(torch.zeros(4, dtype=torch.bool), torch.tensor([], dtype=torch.int64), torch.arange(4.0))
    assert (nothing.precision, nothing.recall, nothing.average_precision) == (None, None, 0.0)
