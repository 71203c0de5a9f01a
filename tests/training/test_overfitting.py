import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.stats.confidence import wilson_interval
from cnnlab.training.overfitting import FALL, WIDE_GAP, LearningCurves, diagnose, smooth, wobble


def curves(
    train: list[float], validation: list[float], loss: list[float] | None = None, n: int = 5000
) -> LearningCurves:
    return LearningCurves(range(1, len(validation) + 1), train, validation, loss or [None] * len(validation), n)


def saturating(epochs: int, end: float, pace: float = 5) -> list[float]:
    return [end * (1 - math.exp(-e / pace)) for e in range(1, epochs + 1)]


def exercise(noise: float = 0.0, seed: int = 0) -> LearningCurves:
    """Exercise 19.5.1: training accuracy reaches 99 %, validation peaks at epoch 20 and ends at 78 %."""
    draw = random.Random(seed)
    validation = [0.60 + 0.24 * e / 20 if e <= 20 else 0.84 - 0.06 * (e - 20) / 20 for e in range(1, 41)]
    return curves(saturating(40, 0.99), [v + draw.gauss(0, noise) for v in validation])


def test_exercise_19_5_1() -> None:
    found = diagnose(exercise())
    assert (found.verdict, found.since_epoch, found.best_epoch) == ("over-fitted", 20, 20)
    assert found.gap == pytest.approx(0.99 - 0.78, abs=0.005)
    assert found.sentence == (
        "over-fitted since epoch 20: validation accuracy has lost 5.7 points since then, 21.0 points under training "
        "(clean training 99.0 %, validation 78.0 %, 95 % interval 76.8 to 79.1 %)."
    )
    assert {r.area for r in found.remedies} == {"data", "optimiser", "architecture", "duration"}


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_exercise_19_5_1_through_noise(seed: int) -> None:
    found = diagnose(exercise(noise=0.006, seed=seed))
    assert found.verdict == "over-fitted"
    assert found.since_epoch is not None
    assert abs(found.since_epoch - 20) <= 6


@pytest.mark.parametrize("n", [200, 1000, 5000])
def test_noise_alone_is_hardly_ever_overfitting(n: int) -> None:
    """Independent noise in every epoch, which is more than one validation set makes: at most 1 of 300 trainings."""
    alarms = 0
    for seed in range(300):
        draw = random.Random(seed)
        validation = [v + draw.gauss(0, math.sqrt(0.85 * 0.15 / n)) for v in saturating(30, 0.85)]
        alarms += diagnose(curves(saturating(30, 0.90), validation, n=n)).verdict != "good"
    assert alarms <= 1


def test_the_chapters_recipe_is_good() -> None:
    """Large learning rate, so wild early epochs; the cosine calms them."""
    draw = random.Random(1)
    validation = [v + draw.gauss(0, 0.03 * (1 - e / 30)) for e, v in enumerate(saturating(30, 0.855))]
    found = diagnose(curves(saturating(30, 0.92), validation))
    assert found.verdict == "good"
    assert "gap of" in found.sentence


def test_low_and_close_is_under_fitted() -> None:
    found = diagnose(curves(saturating(10, 0.45), saturating(10, 0.44)))
    assert found.verdict == "under-fitted"
    assert "under 80.0 %" in found.sentence
    assert found.remedies


def test_what_is_enough_depends_on_the_task() -> None:
    assert diagnose(curves(saturating(30, 0.6), saturating(30, 0.58)), enough=0.5).verdict == "good"


def test_still_rising_is_said() -> None:
    found = diagnose(curves([0.80, 0.84, 0.88, 0.92], [0.78, 0.82, 0.86, 0.90]))
    assert (found.verdict, found.still_rising) == ("good", True)
    assert "still rising" in found.sentence
    assert "validation 90.0 %" in found.sentence


def test_all_right_cannot_rise_and_no_advice_says_so() -> None:
    found = diagnose(curves([0.8, 0.9, 1.0], [0.7, 0.9, 1.0]))
    assert (found.verdict, found.still_rising, found.remedies) == ("good", False, ())
    assert "rising" not in found.sentence


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 3000), st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0, 1))
def test_no_advice_lies_inside_the_interval(n: int, validation: list[float], train: float) -> None:
    """Whatever the curve: what is said to rise has risen out of the interval, and has room above it."""
    found = diagnose(curves([train] * len(validation), validation, n=n))
    end, interval = smooth(validation)[-1], found.interval
    wilson = wilson_interval(min(n, round(end * n)), n)
    assert interval.low <= wilson.low <= wilson.high <= interval.high
    if found.still_rising:
        assert interval.high < 1
        assert min(smooth(validation)) < interval.low
    assert ("more epochs may help" in found.sentence) <= found.still_rising
    if found.verdict == "over-fitted" and found.fall < FALL:
        assert train > interval.high
    if found.verdict == "good":
        assert max(interval.high - end, end - interval.low) < WIDE_GAP


@pytest.mark.parametrize(
    ("train", "validation", "n", "verdict"),
    [
        ([0.189], [0.0], 10, "under-fitted"),  # none of 10 right is 0 to 28 %: 18.9 % is no wide gap
        ([1.0], [1.0], 10, "unclear"),
        ([0.95], [0.80], 20, "unclear"),
        ([1.0], [0.55], 20, "over-fitted"),
        ([None], [0.7], 20, "unclear"),
        ([None], [0.7], 2000, "under-fitted"),
    ],
)
def test_few_validation_images_carry_few_verdicts(train: list, validation: list, n: int, verdict: str) -> None:
    found = diagnose(curves(train, validation, n=n))
    assert found.verdict == verdict, found.sentence
    if verdict == "unclear":
        assert found.sentence.startswith(f"unclear: {n} validation images are too few to tell (")


def test_more_epochs_are_no_remedy_where_nothing_moves() -> None:
    flat = diagnose(curves([0.31] * 12, [0.3] * 12))
    rising = diagnose(curves(saturating(10, 0.45), saturating(10, 0.44)))
    assert (flat.verdict, rising.verdict) == ("under-fitted", "under-fitted")
    assert [any(remedy.change == "more epochs" for remedy in one.remedies) for one in (flat, rising)] == [False, True]


def test_to_stop_earlier_is_no_remedy_where_validation_went_on_rising() -> None:
    wide = diagnose(curves([0.8, 0.9, 0.97, 1.0], [0.6, 0.68, 0.74, 0.78]))
    assert (wide.verdict, wide.since_epoch) == ("over-fitted", 1)
    assert not any(remedy.area == "duration" for remedy in wide.remedies)
    assert any(remedy.area == "duration" for remedy in diagnose(exercise()).remedies)


def test_a_wide_gap_is_over_fitted_though_validation_holds() -> None:
    train = saturating(30, 1.0, pace=8)
    found = diagnose(curves(train, saturating(30, 0.75, pace=3)))
    assert found.verdict == "over-fitted"
    assert found.since_epoch == next(
        e for e, (t, v) in enumerate(zip(train, saturating(30, 0.75, pace=3), strict=True), 1) if t - v >= 0.15
    )


def test_the_loss_turns_before_the_accuracy() -> None:
    loss = [1.0 - 0.05 * e if e <= 10 else 0.5 + 0.02 * (e - 10) for e in range(1, 31)]
    found = diagnose(curves(saturating(30, 1.0), saturating(30, 0.88), loss))
    assert (found.verdict, found.since_epoch) == ("over-fitted", 10)
    assert "validation loss has risen from 0.5" in found.sentence


def test_a_rising_loss_without_a_gap_is_no_overfitting() -> None:
    loss = [1.0 - 0.05 * e if e <= 10 else 0.5 + 0.02 * (e - 10) for e in range(1, 31)]
    assert diagnose(curves(saturating(30, 1.0), saturating(30, 0.96), loss)).verdict == "good"


def test_a_fall_together_with_training_is_instability() -> None:
    both = [*saturating(20, 0.9), 0.5, 0.3, 0.2, 0.2, 0.2]
    assert diagnose(curves(both, both)).verdict == "under-fitted"


def test_without_training_accuracy_the_fall_decides() -> None:
    validation = list(exercise().validation_accuracy)
    found = diagnose(LearningCurves(range(1, 41), [None] * 40, validation, [None] * 40, 5000))
    assert (found.verdict, found.since_epoch, found.gap) == ("over-fitted", 20, None)
    assert "clean training accuracy not measured" in found.sentence


def test_epochs_without_a_measurement_are_passed_over() -> None:
    full = exercise()
    sparse = [v if e % 2 == 0 else None for e, v in zip(full.epochs, full.validation_accuracy, strict=True)]
    found = diagnose(LearningCurves(full.epochs, full.train_accuracy, sparse, full.validation_loss, 5000))
    assert (found.verdict, found.since_epoch) == ("over-fitted", 20)


def test_one_epoch_is_enough_for_a_verdict() -> None:
    assert diagnose(curves([0.5], [0.5])).verdict == "under-fitted"
    assert diagnose(curves([1.0], [1.0])).verdict == "good"


def test_no_epoch_is_not() -> None:
    with pytest.raises(ValueError, match="nothing to diagnose"):
        diagnose(LearningCurves([1], [0.5], [math.nan], [None], 10))


def test_curves_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        LearningCurves([1, 2], [0.5], [0.5], [0.5], 10)


def test_smoothing_keeps_trends_and_removes_spikes() -> None:
    line = [0.1 * i for i in range(8)]
    assert smooth(line) == pytest.approx(line)
    assert smooth([1.0, 1.0, 9.0, 1.0, 1.0, 9.0]) == [1, 1, 1, 1, 1, 1]


def test_the_wobble_is_the_noise_and_not_the_trend() -> None:
    draw = random.Random(0)
    assert wobble([0.02 * i for i in range(40)]) == pytest.approx(0, abs=1e-12)
    assert wobble([0.02 * i + draw.gauss(0, 0.01) for i in range(400)]) == pytest.approx(0.01, rel=0.2)
