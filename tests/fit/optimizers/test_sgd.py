from itertools import product

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.fit import catalog  # noqa: F401
from cnnlab.fit.parameter_groups import ONE_IMAGE, ParameterGroup, StepSize, learning_parameters

AIRBENCH = {"lr": 11.5, "momentum": 0.85, "weight_decay": 0.0153, "nesterov": True, "decoupled": True}
"""Of airbench94, as its authors give them."""


def one_number(name: str = "sgd", *, step: StepSize = ONE_IMAGE, lr_scale: float = 1.0, **options: object) -> Optimizer:
    model = nn.Linear(1, 1, bias=False)
    rules = [ParameterGroup(match=["*"], lr_scale=lr_scale)]
    made: Optimizer = component("optimizer", name, **options).build(
        parameters=learning_parameters(model, rules, step=step)
    )
    return made


@pytest.mark.parametrize(
    ("name", "options", "oracle"),
    [
        ("sgd", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
         lambda p: torch.optim.SGD(p, 0.05, 0.9, weight_decay=0.01, nesterov=True)),
        ("adamw", {"lr": 0.01, "beta1": 0.8, "weight_decay": 0.1},
         lambda p: torch.optim.AdamW(p, 0.01, (0.8, 0.999), weight_decay=0.1)),
    ],
)  # fmt: skip
def test_optimizers_do_as_torch_does(name, options, oracle) -> None:
    optimizer = one_number(name, **options)
    (ours,) = optimizer.param_groups[0]["params"]
    theirs = nn.Parameter(ours.detach().clone())
    reference = oracle([theirs])
    for step in range(5):
        for parameter in (ours, theirs):
            parameter.grad = torch.full_like(parameter, 1.0 - step)
        optimizer.step()
        reference.step()
    assert torch.equal(ours, theirs)


def test_nesterov_without_momentum() -> None:
    with pytest.raises(RequestError, match="nesterov: true needs a momentum above 0"):
        one_number(nesterov=True, momentum=0)


def test_decoupled_numbers_of_airbench_are_those_that_its_script_hands_to_torch() -> None:
    """lr / k and weight_decay · batch / k, divided by the rate of the group; k = 1024 · (1 + 1 / 0.15)."""
    kilostep = 1024 * (1 + 1 / (1 - 0.85))
    summed = StepSize(1000, 1000, summed=True)
    (plain,) = one_number(step=summed, **AIRBENCH).param_groups
    (biases,) = one_number(step=summed, lr_scale=64.0, **AIRBENCH).param_groups
    assert plain["lr"] == plain["lr_base"] == pytest.approx(11.5 / kilostep)
    assert plain["weight_decay"] == pytest.approx(0.0153 * 1000 / kilostep / (11.5 / kilostep))
    (half,) = one_number(step=StepSize(1000, 500), **AIRBENCH).param_groups  # of the hardest images alone
    assert half["lr"] == pytest.approx(500 * 11.5 / kilostep)
    assert half["weight_decay"] == pytest.approx(0.0153 * 1000 / kilostep / half["lr"])
    assert biases["lr"] == pytest.approx(64 * 11.5 / kilostep)
    assert biases["weight_decay"] == pytest.approx(0.0153 * 1000 / kilostep / (64 * 11.5 / kilostep))


def after(
    options: dict[str, object], *, summed: bool, images: int = 10, gradient: float = 1.0, steps: int = 400
) -> float:
    """How far a weight of 1 has come after many steps by a constant gradient of each image, and no other."""
    optimizer = one_number(step=StepSize(images, images, summed), **options)
    (weight,) = optimizer.param_groups[0]["params"]
    with torch.no_grad():
        weight.data = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(steps):
        weight.grad = torch.full_like(weight, gradient * (images if summed else 1))
        optimizer.step()
    return 1 - weight.item()


def test_decoupled_a_step_is_of_one_length_whatever_momentum_batch_and_reduction() -> None:
    """Of Nesterov's step airbench's k counts 1 + 1/(1 − m), where its sum is 1/(1 − m): a known factor of 2 − m."""
    moved = {
        (momentum, summed): after({"lr": 0.5, "momentum": momentum, "nesterov": True, "decoupled": True}, summed=summed)
        * (2 - momentum)
        for momentum, summed in product((0.5, 0.85, 0.95), (False, True))
    }
    assert list(moved.values()) == pytest.approx([0.5 * 10 * 400 / 1024] * 6, rel=0.06)  # it takes some steps to start
    assert moved[0.85, False] == pytest.approx(moved[0.85, True], rel=1e-12)
    twice = after({"lr": 0.5, "momentum": 0.5, "nesterov": True, "decoupled": True}, summed=False, images=20, steps=200)
    assert twice * 1.5 == pytest.approx(moved[0.5, False], rel=0.01)


def test_decoupled_the_decay_is_of_one_strength_whatever_rate_and_momentum() -> None:
    decayed = {
        (lr, momentum, summed): after({**AIRBENCH, "lr": lr, "momentum": momentum}, summed=summed, gradient=0.0)
        for lr, momentum, summed in ((11.5, 0.85, True), (1.0, 0.85, True), (11.5, 0.85, False), (11.5, 0.9, True))
    }
    first, lower, mean, heavier = decayed.values()
    assert first > 0.05
    assert [lower, mean] == pytest.approx([first] * 2, rel=1e-9)
    assert heavier == pytest.approx(first, rel=0.06)
