import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_calibration_error

from cnnlab.stats.calibration import calibration, fit_temperature


def drawn(seed: int, n: int = 4000, k: int = 5, scale: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels drawn from their softmax: perfectly calibrated but for chance."""
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(n, k, generator=generator, dtype=torch.float64)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]


def test_ece_by_hand() -> None:
    """Confidences .9 .9 .6 .6 with 1 of 2 and 2 of 2 right: bins |.5−.9|·½ + |1−.6|·½ = .4."""
    p = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], dtype=torch.float64)
    result = calibration(p.log(), torch.tensor([0, 1, 0, 0]), bins=10)
    assert result.ece == pytest.approx(0.4)
    full = [b for b in result.bins if b.n]
    assert [(b.low, b.high, b.n) for b in full] == [(0.5, 0.6, 2), (0.8, 0.9, 2)]
    assert [b.accuracy for b in full] == [1.0, 0.5]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.1, 4))
def test_ece_is_torchmetrics(seed: int, scale: float) -> None:
    logits, labels = drawn(seed, n=300, scale=scale)
    theirs = multiclass_calibration_error(logits.softmax(1), labels, num_classes=5, n_bins=15)
    assert calibration(logits, labels).ece == pytest.approx(float(theirs), abs=1e-6)


def test_bins_hold_every_image_once() -> None:
    logits, labels = drawn(1)
    result = calibration(logits, labels)
    assert len(result.bins) == 15
    assert sum(b.n for b in result.bins) == len(labels)
    assert sum(b.n * b.accuracy for b in result.bins if b.accuracy is not None) == pytest.approx(result.accuracy * 4000)


def test_certainty_falls_into_the_last_bin() -> None:
    result = calibration(torch.tensor([[1000.0, 0.0]]), torch.tensor([0]))
    assert (result.bins[-1].n, result.ece) == (1, 0.0)
    assert result.bins[0].confidence is None


def test_calibrated_logits_have_temperature_one() -> None:
    logits, labels = drawn(2, n=40_000)
    fitted = fit_temperature(logits, labels, fitted_on="validation")
    assert fitted.value == pytest.approx(1, abs=0.03)
    assert fitted.fitted_on == "validation"
    assert calibration(logits / fitted.value, labels).ece < 0.01


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.2, 8))
def test_scaling_of_the_logits_is_recovered(seed: int, factor: float) -> None:
    logits, labels = drawn(seed, n=500)
    plain = fit_temperature(logits, labels, fitted_on="validation")
    scaled = fit_temperature(logits * factor, labels, fitted_on="validation")
    assert scaled.value == pytest.approx(plain.value * factor, rel=1e-6)
    assert scaled.loss_after == pytest.approx(plain.loss_after, abs=1e-9)
    assert scaled.loss_after <= scaled.loss_before + 1e-12


def test_the_temperature_is_the_minimum_that_lbfgs_finds() -> None:
    logits, labels = drawn(3, n=1000)
    logits = logits * 3
    temperature = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([temperature], max_iter=200, line_search_fn="strong_wolfe", tolerance_change=1e-14)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits / temperature, labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert fit_temperature(logits, labels, fitted_on="validation").value == pytest.approx(
        float(temperature.detach()), rel=1e-5
    )


def test_all_right_has_no_minimum() -> None:
    fitted = fit_temperature(torch.eye(3).double(), torch.arange(3), fitted_on="validation")
    assert fitted.at_bound
    assert fitted.value == pytest.approx(0.01)


def test_all_wrong_has_no_minimum() -> None:
    fitted = fit_temperature(torch.eye(3).double(), (torch.arange(3) + 1) % 3, fitted_on="validation")
    assert fitted.at_bound
    assert fitted.value == pytest.approx(100)
