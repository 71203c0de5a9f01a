import pytest
import torch

from cnnlab.attribution.measures.comparison import OUTCOMES, verdict


def noisy(mean: float, n: int = 40, *, seed: int = 0, noise: float = 0.05) -> torch.Tensor:
    return mean + noise * torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


CONTROLS = {"random": noisy(0.1, seed=1), "centre": noisy(0.25, seed=2), "edges": noisy(0.2, seed=3)}


@pytest.mark.parametrize(
    ("mean", "outcome"),
    [
        (0.5, "better than every control"),
        (0.25, "better than chance"),
        (0.2, "better than chance"),
        (0.1, "not better than chance"),
        (0.0, "worse than chance"),
    ],
)
def test_against_chance_and_the_best_of_the_controls(mean: float, outcome: str) -> None:
    found = verdict("gradient", noisy(mean, seed=4), CONTROLS, level="pixels", seed=0)
    assert (found.outcome, found.control) == (outcome, "centre")
    assert outcome in OUTCOMES
    assert found.beyond_control.mean == pytest.approx(found.gain.mean - found.control_gain.mean)
    assert found.beyond_chance.mean == pytest.approx(found.gain.mean - found.chance_gain.mean)


def test_random_maps_may_be_the_best_control() -> None:
    control = {"random": torch.full((8,), 0.25).double(), "centre": torch.full((8,), 0.1).double()}
    found = verdict("gradient", torch.full((8,), 0.5).double(), control, level="pixels", seed=0)
    assert found.sentence == (
        "gradient, pixels: better than every control: insertion − deletion +0.500, random +0.250 (difference +0.250 "
        "[+0.250, +0.250]) over 8 images"
    )


def test_the_sentence_names_both_controls() -> None:
    control = {"random": torch.full((8,), -0.125).double(), "centre": torch.full((8,), 0.625).double()}
    found = verdict("gradient", torch.full((8,), 0.5).double(), control, level="pixels", seed=0)
    assert found.sentence == (
        "gradient, pixels: better than chance: insertion − deletion +0.500, random −0.125 (difference +0.625 [+0.625, "
        "+0.625]), centre +0.625 (difference −0.125 [−0.125, −0.125]) over 8 images"
    )


@pytest.mark.parametrize("n", [1, 5])
def test_few_images_decide_nothing(n: int) -> None:
    found = verdict("gradient", noisy(0.9, n), {"random": noisy(0.1, n)}, level="pixels", seed=0)
    assert found.outcome == "too few images"
    assert f"too few images can tell: insertion − deletion +{found.gain.mean:.3f}" in found.sentence
    assert found.sentence.endswith("over 1 image" if n == 1 else "over 5 images")


def test_maps_of_chance_are_seldom_called_better() -> None:
    """Of 200 methods with the same spread as three controls; the best control only makes it harder."""
    better = {"better than chance": 0, "better than every control": 0}
    for seed in range(200):
        controls = {name: noisy(0.2, 20, seed=1000 * seed + i) for i, name in enumerate(("random", "centre", "edges"))}
        outcome = verdict("x", noisy(0.2, 20, seed=1000 * seed + 9), controls, level="pixels", seed=seed).outcome
        if outcome in better:
            better[outcome] += 1
    # an interval of 95 % misses to one side in 2.5 %, and a bootstrap of 20 images somewhat more often
    assert sum(better.values()) / 200 < 0.07
    assert better["better than every control"] / 200 < 0.02


def test_a_method_needs_random_maps_beside_it() -> None:
    with pytest.raises(ValueError, match="no control 'random'"):
        verdict("x", noisy(0.2), {"centre": noisy(0.1)}, level="pixels", seed=0)
