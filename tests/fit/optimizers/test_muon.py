import math
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim._muon import _zeropower_via_newtonschulz

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.registry import component
from cnnlab.fit import catalog  # noqa: F401
from cnnlab.fit.optimizers.muon import Muon
from cnnlab.fit.optimizers.orthogonal import COEFFICIENTS, EPS, MOST_STEPS, orthogonalized
from cnnlab.fit.parameter_groups import ParameterGroup, learning_parameters
from cnnlab.fit.saved_state import stepped

RATE = {"lr": 0.02, "momentum": 0.9, "steps": 5, "renormalize": False}


def network() -> nn.Sequential:
    """Kernels of one shape and of others, wide and tall, a norm and a head."""
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 40, 3)]
    layers = [layer for conv in convolutions for layer in (conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU())]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, 3)).double()


def made(model: nn.Module, *rules: ParameterGroup, **options: object) -> Muon:
    optimizer: Muon = component("optimizer", "muon", **options).build(parameters=learning_parameters(model, rules))
    return optimizer


def gradients(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)


@pytest.mark.parametrize(("coefficients", "steps"), [("jordan", 3), ("jordan", 5), ("hiverge", 3)])
@pytest.mark.parametrize("shape", [(3, 4, 9), (2, 9, 4)])
def test_singular_values_go_through_the_polynomial_and_vectors_stay(coefficients, steps: int, shape) -> None:
    matrices = torch.randn(shape, dtype=torch.float64)
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    s = s / (torch.linalg.vector_norm(matrices, dim=(1, 2))[:, None] + EPS)
    a, b, c = COEFFICIENTS[coefficients]
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    found = orthogonalized(matrices, steps=steps, coefficients=coefficients)
    torch.testing.assert_close(found, u @ torch.diag_embed(s) @ v, rtol=0, atol=1e-12)
    if steps == 5:  # of singular values that are not tiny
        assert 0.6 < s.min() < s.max() < 1.3


def test_the_allowed_steps_keep_every_singular_value_near_1_and_one_more_does_not() -> None:
    values = torch.linspace(0.05, 1, 5000, dtype=torch.float64)
    for coefficients, steps in MOST_STEPS.items():
        a, b, c = COEFFICIENTS[coefficients]
        found = values
        for _ in range(steps):
            found = a * found + b * found**3 + c * found**5
        assert found.max() < 1.4
        if coefficients == "hiverge":
            assert (a * found + b * found**3 + c * found**5).max() > 2


def test_it_is_the_iteration_of_torch_in_its_arithmetic() -> None:
    matrix = torch.randn(6, 20)
    theirs = _zeropower_via_newtonschulz(matrix, COEFFICIENTS["jordan"], 5, 1e-7).float()
    ours = orthogonalized(matrix[None], steps=5, dtype=torch.bfloat16)[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.02)  # bfloat16 has 8 bits
    assert not orthogonalized(torch.zeros(1, 2, 3), steps=5).any()


@pytest.mark.parametrize(("adjust", "theirs"), [("original", "original"), ("match_rms_adamw", "match_rms_adamw")])
def test_on_matrices_it_is_torchs_muon(monkeypatch, adjust: str, theirs: str) -> None:
    """Flattened kernels are what torch's takes; in float64 instead of its bfloat16 the two agree."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())
    model = network()
    ours = made(model, weight_decay=0.1, adjust=adjust, **RATE)
    kernels = [parameter for parameter in model.parameters() if parameter.ndim == 4]
    twins = [nn.Parameter(kernel.detach().clone().flatten(1)) for kernel in kernels]
    oracle = torch.optim.Muon(twins, lr=0.02, weight_decay=0.1, momentum=0.9, adjust_lr_fn=theirs)
    for _ in range(4):
        gradients(model)
        for kernel, twin in zip(kernels, twins, strict=True):
            twin.grad = kernel.grad.flatten(1).clone()
        ours.step()
        oracle.step()
    for kernel, twin in zip(kernels, twins, strict=True):
        torch.testing.assert_close(kernel.flatten(1), twin, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("rest", "oracle"),
    [
        ({"sgd": {"lr": 0.05, "momentum": 0.85, "nesterov": True, "weight_decay": 0.01}},
         lambda groups: torch.optim.SGD(groups, 0.05, 0.85, weight_decay=0.01, nesterov=True)),
        ({"adamw": {"lr": 0.01}}, lambda groups: torch.optim.AdamW(groups, 0.01)),
    ],
)  # fmt: skip
def test_the_rest_is_as_by_torch_to_the_bit_and_groups_hold_for_both(rest, oracle) -> None:
    model, twin = network(), network()
    ours = made(model, ParameterGroup(match=["biases", "9.weight"], lr_scale=2.0), rest=rest)
    named = dict(twin.named_parameters())
    scaled = [name for name in named if name.endswith("bias")]
    plain = [name for name in named if name not in scaled and named[name].ndim != 4]
    rate = next(iter(rest.values()))["lr"]
    reference = oracle(
        [{"params": [named[name] for name in plain]}, {"params": [named[name] for name in scaled], "lr": 2 * rate}]
    )
    kernels = ["0.weight", "3.weight", "6.weight"]
    assert [(group["names"], group["lr"]) for group in ours.param_groups] == [
        (kernels, 0.24), (["9.weight"], 0.48), (plain, rate), (scaled, 2 * rate)
    ]  # fmt: skip
    for factor in (1.0, 0.5, 0.25):
        for optimizer in (ours, reference):
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("lr_base", group["lr"]) * factor
        gradients(model)
        for name, parameter in model.named_parameters():
            named[name].grad = parameter.grad.clone()
        ours.step()
        reference.step()
    others = dict(model.named_parameters())
    assert all(torch.equal(others[name], named[name]) for name in plain + scaled)
    assert not torch.equal(others["0.weight"], named["0.weight"])


def test_a_step_of_airbench_by_hand() -> None:
    """Nesterov, weights of norm √outputs, and a step along the orthogonal matrix; equal shapes at once or alone."""
    model = network()
    kernels = {name: parameter for name, parameter in model.named_parameters() if parameter.ndim == 4}
    optimizer = made(model, steps=3)
    gradients(model)
    gradients_before = {name: kernel.grad.clone() for name, kernel in kernels.items()}
    wanted = {}
    for name, kernel in kernels.items():
        step = orthogonalized((1.6 * gradients_before[name]).flatten(1)[None], steps=3)[0]
        scaled = kernel.detach() * math.sqrt(len(kernel)) / kernel.detach().norm()
        wanted[name] = scaled - 0.24 * step.reshape(kernel.shape)
    optimizer.step()
    for name, kernel in kernels.items():
        torch.testing.assert_close(kernel.detach(), wanted[name], rtol=0, atol=1e-12)


def test_what_it_keeps_is_that_of_both_and_goes_on_to_the_bit() -> None:
    models, optimizers = [network(), network()], []
    optimizers = [made(model, rest={"adamw": {"lr": 0.01}}) for model in models]
    kept = stepped(optimizers[0])
    assert not optimizers[0].state
    for step in range(4):
        if step == 2:
            models[1].load_state_dict(models[0].state_dict())
            optimizers[1].load_state_dict(deepcopy(optimizers[0].state_dict()))
        gradients(models[0])
        for mine, its in zip(models[0].parameters(), models[1].parameters(), strict=True):
            its.grad = mine.grad.clone()
        for optimizer in optimizers[: 2 if step >= 2 else 1]:
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(*(model.parameters() for model in models), strict=True))
    state = optimizers[0].state_dict()["state"]
    assert {number: set(one) for number, one in state.items()} == {number: set(one) for number, one in kept.items()}
    assert {"step", "exp_avg", "exp_avg_sq"} in [set(one) for one in state.values()]


def test_what_is_refused() -> None:
    dense = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(RequestError, match="no filter learns: no layer but the head has a kernel"):
        made(dense)
    with pytest.raises(RequestError, match="rest: muon has no filters left to move"):
        made(network(), rest="muon")
    with pytest.raises(RequestError, match="coefficients: hiverge are for 3 steps at most; jordan for 10"):
        made(network(), steps=4, coefficients="hiverge")
    with pytest.raises(ConfigError, match="'steps' is '11', expected at most 10"):
        component("optimizer", "muon", steps=11)
    only = made(network(), ParameterGroup(match=["biases", "norms", "14.*"], frozen=True))
    assert (len(only.param_groups), only.rest) == (1, None)
