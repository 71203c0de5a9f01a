import pytest
import torch
from scipy.stats import bootstrap as scipy_bootstrap

from cnnlab.stats.confidence import bootstrap_mean, paired_difference


def test_with_many_values_the_interval_is_scipys() -> None:
    values = torch.rand(400, generator=torch.Generator().manual_seed(1), dtype=torch.float64) ** 3
    ours = bootstrap_mean(values, seed=0, resamples=20_000)
    theirs = scipy_bootstrap(
        (values.numpy(),), lambda x, axis: x.mean(axis), n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert ours.interval is not None
    assert ours.interval.low == pytest.approx(theirs.low, abs=1e-3)
    assert ours.interval.high == pytest.approx(theirs.high, abs=1e-3)
    assert (ours.mean, ours.n) == (pytest.approx(float(values.mean())), 400)


@pytest.mark.parametrize("n", [6, 10, 30])
def test_differences_of_chance_seldom_miss_zero_however_few_they_are(n: int) -> None:
    draws = torch.randn(1000, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    found = [bootstrap_mean(row, seed=i, resamples=500).interval for i, row in enumerate(draws)]
    missed = sum(one is not None and not one.low <= 0 <= one.high for one in found) / len(found)
    assert 0.03 < missed < 0.075  # 0.05, give or take three deviations and what 500 draws leave


def test_it_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 300 samples of 50 from an exponential distribution of mean 1; skewed, so that a little is lost."""
    draws = -torch.rand(300, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64).log()
    found = [bootstrap_mean(row, seed=i, resamples=500).interval for i, row in enumerate(draws)]
    covered = sum(one is not None and one.low <= 1 <= one.high for one in found) / len(found)
    assert 0.88 <= covered <= 0.98


def test_a_seed_is_a_result_and_global_state_is_left_alone() -> None:
    values = torch.arange(9).double()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = bootstrap_mean(values, seed=5)
    assert torch.equal(torch.get_rng_state(), state)
    assert bootstrap_mean(values, seed=5) == first
    assert bootstrap_mean(values, seed=6) != first


def test_what_is_common_to_a_pair_drops_out() -> None:
    """Noise of 10 in both, a difference of 0.1 ± 0.01: only the pairing finds it."""
    generator = torch.Generator().manual_seed(2)
    common = 10 * torch.randn(30, generator=generator, dtype=torch.float64)
    ours = common + 0.1 + 0.01 * torch.randn(30, generator=generator, dtype=torch.float64)
    interval = paired_difference(ours, common, seed=0).interval
    assert interval is not None
    assert 0.09 < interval.low < interval.high < 0.11


def test_one_value_has_no_interval() -> None:
    one = bootstrap_mean(torch.tensor([0.25]), seed=0)
    assert (one.mean, one.deviation, one.interval, one.n) == (0.25, None, None, 1)


def test_equal_values_have_an_interval_without_width() -> None:
    interval = bootstrap_mean(torch.full((7,), 0.5), seed=0).interval
    assert interval is not None
    assert (interval.low, interval.high) == (0.5, 0.5)


@pytest.mark.parametrize(("values", "said"), [([], "no values"), ([1.0, float("nan")], "value 1 is not finite")])
def test_what_cannot_be_averaged(values: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bootstrap_mean(torch.tensor(values), seed=0)


def test_pairs_need_the_same_images() -> None:
    with pytest.raises(ValueError, match="2 values against 3"):
        paired_difference(torch.zeros(2), torch.zeros(3), seed=0)
