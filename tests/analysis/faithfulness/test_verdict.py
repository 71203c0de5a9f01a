import pytest
import torch

from cnnlab.analysis.faithfulness.verdict import verdict


def noisy(mean: float, n: int = 40, *, seed: int = 0, noise: float = 0.05) -> torch.Tensor:
    return mean + noise * torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


CONTROLS = {"random": noisy(0.1, seed=1), "centre": noisy(0.25, seed=2), "edges": noisy(0.2, seed=3)}


@pytest.mark.parametrize(
    ("mean", "outcome"), [(0.5, "better than chance"), (0.25, "not better than chance"), (0.0, "worse than chance")]
)
def test_against_the_best_of_the_controls(mean: float, outcome: str) -> None:
    found = verdict("gradient", noisy(mean, seed=4), CONTROLS, level="pixels", seed=0)
    assert (found.outcome, found.control) == (outcome, "centre")
    assert found.difference.mean == pytest.approx(found.gain.mean - found.control_gain.mean)


def test_the_sentence() -> None:
    control = {"random": torch.full((8,), 0.25).double()}
    found = verdict("gradient", torch.full((8,), 0.5).double(), control, level="pixels", seed=0)
    assert found.sentence == (
        "gradient, pixels: better than chance: insertion − deletion +0.500, best control (random) +0.250, "
        "difference +0.250 [+0.250, +0.250] over 8 pictures"
    )


@pytest.mark.parametrize("n", [1, 5])
def test_few_pictures_decide_nothing(n: int) -> None:
    found = verdict("gradient", noisy(0.9, n), {"random": noisy(0.1, n)}, level="pixels", seed=0)
    assert found.outcome == "too few pictures"
    assert f"too few pictures can tell: insertion − deletion +{found.gain.mean:.3f}" in found.sentence
    assert found.sentence.endswith("over 1 picture" if n == 1 else "over 5 pictures")


def test_maps_of_chance_are_seldom_called_better() -> None:
    """Of 200 methods with the same spread as three controls; the best control only makes it harder."""
    called = 0
    for seed in range(200):
        controls = {str(i): noisy(0.2, 20, seed=1000 * seed + i) for i in range(3)}
        called += (
            verdict("x", noisy(0.2, 20, seed=1000 * seed + 9), controls, level="pixels", seed=seed).outcome
            == "better than chance"
        )
    assert called / 200 < 0.04


def test_a_method_needs_controls() -> None:
    with pytest.raises(ValueError, match="no controls"):
        verdict("x", noisy(0.2), {}, level="pixels", seed=0)
