"""Where a changed length leaves the curve that a run has followed: found from the numbers, for whatever schedule."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.core.registry import component
from cnnlab.fit import catalog  # noqa: F401
from cnnlab.fit.progress import Progress
from cnnlab.fit.registry import SCHEDULES
from cnnlab.fit.schedules import LearningRateCurve, Schedule, departure

STEPS = 7
LR = 0.1


def curve(name: str, epochs: int, *, time_budget: float | None = None, **options: object) -> LearningRateCurve:
    schedule: Schedule = component("schedule", name, **options).build(epochs=epochs)
    return LearningRateCurve(schedule, name, LR, epochs, STEPS, time_budget)


def after(epochs: float, *, elapsed: float = 0.0) -> Progress:
    return Progress(epoch=int(epochs), step=round(epochs * STEPS), elapsed=elapsed)


def options_of(name: str) -> dict[str, object]:
    return {"milestones": [2, 6]} if name == "step" else {}


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([entry.name for entry in SCHEDULES]),
    st.integers(1, 12),
    st.integers(1, 24),
    st.floats(0.0, 1.0),
)
def test_silent_where_every_step_so_far_and_the_next_have_the_same_rate(
    name: str, epochs: int, changed: int, share: float
) -> None:
    """The oracle: both curves at every step, one after the other."""
    old, new = curve(name, epochs, **options_of(name)), curve(name, changed, **options_of(name))
    step = round(share * min(epochs, changed) * STEPS)
    rates = [[c.lr * c.schedule(min(1.0, s / (c.epochs * STEPS))) for s in range(step + 1)] for c in (old, new)]
    apart = max(abs(a - b) / max(a, b) for a, b in zip(*rates, strict=True))
    said = departure(old, new, Progress(step=step))
    if step == 0 or apart < 0.008:
        assert said is None
    elif apart > 0.05 and abs(rates[0][-1] - rates[1][-1]) > 0.05 * max(rates[0][-1], rates[1][-1]):
        assert said is not None
        assert f"from {rates[0][-1]:.3g} to {rates[1][-1]:.3g} after epoch {step / STEPS:.3g}" in said


@pytest.mark.parametrize("name", ["constant", "step"])
@pytest.mark.parametrize("warmup", [0, 1])
def test_schedules_in_epochs_go_on_without_a_word(name: str, warmup: int) -> None:
    options = {**options_of(name), "warmup": warmup}
    for done in (0.5, 3, 4):
        assert departure(curve(name, 4, **options), curve(name, 8, **options), after(done)) is None


def test_one_cycle_of_4_epochs_at_its_end_and_the_same_over_8() -> None:
    said = departure(curve("one_cycle", 4), curve("one_cycle", 8), after(4))
    assert said == (
        "the learning rate would jump from 4e-07 to 0.0812 after epoch 4: so far it followed one_cycle over 4 epochs "
        "(0.004 at first, up to 0.1 at epoch 1.2, 4e-07 at last), and now one_cycle over 8 epochs (0.004 at first, "
        "up to 0.1 at epoch 2.4, 4e-07 at last)"
    )


def test_a_shorter_run_jumps_down() -> None:
    said = departure(curve("cosine", 30), curve("cosine", 20), after(15))
    assert said is not None
    assert f"from {LR / 2:.3g} to {LR * (1 + math.cos(0.75 * math.pi)) / 2:.3g} after epoch 15" in said


def test_two_curves_that_meet_by_chance_are_two() -> None:
    """Down again on the old one and on its way up on the new one."""
    hat = LearningRateCurve(lambda p: 1 - abs(2 * p - 1), "hat", LR, 4, 100)
    wide = LearningRateCurve(lambda p: 1 - abs(2 * p - 1), "hat", LR, 8, 100)
    progress = Progress(step=round(400 * 2 / 3))  # 2·(1 − p) = 2·p/2
    said = departure(hat, wide, progress)
    assert said is not None
    assert "another curve, on which epoch 2 had 0.0501 and not 0.0999" in said


def test_a_time_budget_is_a_length_too() -> None:
    plain, budget = curve("cosine", 4), curve("cosine", 4, time_budget=60.0)
    assert departure(budget, budget, after(1, elapsed=30)) is None
    assert departure(plain, budget, after(2, elapsed=10)) is None  # the steps are ahead of the clock
    said = departure(budget, plain, after(1, elapsed=60))
    assert said is not None
    assert "from 0 to 0.0854 after epoch 1: so far it followed cosine over 4 epochs or 60 s (0.1 at first, 0 at" in said


def test_before_the_first_step_there_is_no_curve_to_leave() -> None:
    assert departure(curve("cosine", 4), curve("cosine", 40), Progress()) is None
