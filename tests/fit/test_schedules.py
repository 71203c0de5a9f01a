import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, lr_scheduler

from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.fit import catalog  # noqa: F401
from cnnlab.fit.registry import SCHEDULES
from cnnlab.fit.schedules import Schedule

progress = st.floats(0, 1)


def schedule(name: str, epochs: int, **options: object) -> Schedule:
    made: Schedule = component("schedule", name, **options).build(epochs=epochs)
    return made


def torch_factors(make, steps: int) -> list[float]:
    """The factors of one of torch's schedulers, the oracle, before each of `steps` steps."""
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


@pytest.mark.parametrize("steps", [1, 7, 300])
@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_cosine_by_steps(steps: int, floor: float) -> None:
    expected = torch_factors(lambda o: lr_scheduler.CosineAnnealingLR(o, steps, eta_min=floor), steps)
    ours = schedule("cosine", 3, floor=floor)
    assert [ours(step / steps) for step in range(steps)] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("epochs", [1, 3, 30, 100])
def test_cosine_by_epochs(epochs: int) -> None:
    """As the usual loop has it: `scheduler.step()` after each epoch."""
    expected = torch_factors(lambda o: lr_scheduler.CosineAnnealingLR(o, epochs), epochs)
    ours, steps = schedule("cosine", epochs, every="epoch"), 7
    for epoch in range(epochs):
        (rate,) = {ours((epoch * steps + step) / (epochs * steps)) for step in range(steps)}
        assert rate == pytest.approx(expected[epoch], abs=1e-6)


@pytest.mark.parametrize("epochs", [10, 30, 100, 200])
def test_step_drops_exactly_at_its_milestones(epochs: int) -> None:
    milestones = list(range(1, epochs, 3))
    expected = torch_factors(lambda o: lr_scheduler.MultiStepLR(o, milestones, gamma=0.9), epochs)
    ours, steps = schedule("step", epochs, milestones=milestones, factor=0.9), 13
    for epoch in range(epochs):
        assert ours(epoch * steps / (epochs * steps)) == pytest.approx(expected[epoch])
        assert ours((epoch * steps + steps - 1) / (epochs * steps)) == pytest.approx(expected[epoch])


@pytest.mark.parametrize("rise", [0.2, 0.3, 0.5])
def test_one_cycle(rise: float) -> None:
    steps = 4_000  # torch ends at step N − 1 where we end after step N: the same for many steps
    expected = torch_factors(lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=steps + 1, pct_start=rise), steps)
    ours = schedule("one_cycle", 5, rise=rise)
    assert [ours(step / steps) for step in range(steps)] == pytest.approx(expected, abs=2e-3)


def test_triangular() -> None:
    ours = schedule("triangular", 10, rise=0.25, start=0.2, end=0.1)
    assert [ours(p) for p in (0.0, 0.125, 0.25, 0.625, 1.0)] == pytest.approx([0.2, 0.6, 1.0, 0.55, 0.1])


def test_warmup_is_linear_and_then_the_whole_schedule_follows() -> None:
    warmed, plain = schedule("cosine", 10, warmup=2), schedule("cosine", 8)
    assert [warmed(p) for p in (0.0, 0.05, 0.1, 0.2)] == pytest.approx([0.01, 0.25, 0.5, 1])
    for share in (0.0, 0.3, 0.9, 1.0):
        assert warmed(0.2 + 0.8 * share) == pytest.approx(plain(share))
    assert schedule("constant", 4, warmup=1)(0.125) == 0.5
    assert schedule("step", 10, milestones=[5], warmup=1)(0.05) == 0.5


def test_warmup_of_a_stepwise_cosine_does_not_hold_the_rate_at_zero() -> None:
    warmed = schedule("cosine", 10, warmup=2, every="epoch")
    assert warmed(0.05) == pytest.approx(0.25)
    assert warmed(0.2) == warmed(0.29) == 1
    assert warmed(0.3) == pytest.approx((1 + math.cos(math.pi / 8)) / 2)


@pytest.mark.parametrize("name", [entry.name for entry in SCHEDULES])
@given(progress=progress, epochs=st.integers(1, 300))
def test_every_factor_lies_between_0_and_1(name: str, progress: float, epochs: int) -> None:
    options = {"milestones": [1, 2]} if name == "step" else {}
    assert 0 <= schedule(name, epochs, **options)(progress) <= 1


@pytest.mark.parametrize("name", ["constant", "step", "cosine"])
def test_the_first_step_of_a_warmup_is_small_but_does_something(name: str) -> None:
    options = {"milestones": [5]} if name == "step" else {}
    warmed = schedule(name, 10, warmup=2, **options)
    assert 0 < warmed(0.0) <= 0.02
    factors = [warmed(0.2 * step / 50) for step in range(51)]
    assert factors == sorted(factors)


def test_a_warmup_as_long_as_the_run() -> None:
    with pytest.raises(RequestError, match="the schedule's warmup of 5 epochs must be shorter than the 5 epochs"):
        schedule("cosine", 5, warmup=5)
