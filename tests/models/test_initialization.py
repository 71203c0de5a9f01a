from math import sqrt
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnlab.core.registry import component
from cnnlab.models.build import build
from cnnlab.models.initialization import fans, initialize, matrices
from cnnlab.models.layers.convolution import LocallyConnected2d
from cnnlab.models.registry import INITIALIZATIONS

LAYERS = {
    "conv": lambda: nn.Conv2d(16, 32, 3),
    "grouped": lambda: nn.Conv2d(16, 32, 3, groups=4),
    "linear": lambda: nn.Linear(96, 48),
    "local": lambda: LocallyConnected2d((8, 4, 4), 6, (3, 3)),
}
FANS = {"conv": (144, 288), "grouped": (36, 72), "linear": (96, 48), "local": (72, 54)}


def started(module: nn.Module, name: str, seed: int = 0, **options: Any) -> Any:
    initialize(module, component("initialization", name, **options), seed=seed)
    return module


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_fans(kind: str) -> None:
    module = LAYERS[kind]()
    assert fans(module) == FANS[kind]
    if kind in ("conv", "linear"):
        assert fans(module) == nn.init._calculate_fan_in_and_fan_out(module.weight)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_kaiming_and_xavier_have_their_deviation(kind: str, distribution: str) -> None:
    fan_in, fan_out = FANS[kind]
    expected = {
        sqrt(2 / fan_in): {"name": "kaiming"},
        sqrt(2 / fan_out): {"name": "kaiming", "mode": "fan_out"},
        1 / sqrt(fan_in): {"name": "kaiming", "nonlinearity": "linear"},
        sqrt(2 / (fan_in + fan_out)): {"name": "xavier"},
        3 * sqrt(2 / (fan_in + fan_out)): {"name": "xavier", "gain": 3.0},
    }
    for deviation, options in expected.items():
        module = started(LAYERS[kind](), distribution=distribution, **options)
        assert module.weight.std().item() == pytest.approx(deviation, rel=0.07)
        assert abs(module.weight.mean().item()) < 0.1 * deviation
        assert not module.bias.any()


@pytest.mark.parametrize("kind", ["conv", "linear"])
def test_kaiming_and_xavier_are_torchs(kind: str) -> None:
    theirs = {
        "kaiming": {
            "normal": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
            "uniform": lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu"),
        },
        "xavier": {"normal": nn.init.xavier_normal_, "uniform": nn.init.xavier_uniform_},
    }
    for name, by_distribution in theirs.items():
        for distribution, initializer in by_distribution.items():
            module, twin = LAYERS[kind](), LAYERS[kind]()
            torch.manual_seed(1)
            component("initialization", name, distribution=distribution).build(module=module)
            torch.manual_seed(1)
            initializer(twin.weight)
            torch.testing.assert_close(module.weight, twin.weight)


@settings(deadline=None, max_examples=20)
@given(kind=st.sampled_from(sorted(LAYERS)), gain=st.floats(0.5, 3))
def test_orthogonal_rows_or_columns(kind: str, gain: float) -> None:
    weights = matrices(started(LAYERS[kind](), "orthogonal", gain=gain))
    rows, columns = weights.shape[1:]
    gram = weights @ weights.mT if rows <= columns else weights.mT @ weights
    torch.testing.assert_close(gram, (gain**2 * torch.eye(min(rows, columns))).expand_as(gram), rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=20)
@given(
    groups=st.integers(1, 3),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    kernel=st.sampled_from([1, 3, (5, 3)]),
)
def test_dirac_passes_channels_on(groups: int, inputs: int, outputs: int, kernel: Any) -> None:
    conv = nn.Conv2d(groups * inputs, groups * outputs, kernel, padding="same", groups=groups)
    started(conv, "dirac")
    x = torch.randn(2, groups * inputs, 6, 6)
    passed = min(inputs, outputs)
    into, out = x.unflatten(1, (groups, inputs)), conv(x).unflatten(1, (groups, outputs))
    torch.testing.assert_close(out[:, :, :passed], into[:, :, :passed])
    if outputs > passed:
        rest = conv.weight.detach().unflatten(0, (groups, outputs))[:, passed:]
        assert (rest.flatten(2).abs().amax(2) > 0).all()


@pytest.mark.parametrize(
    "make", [LAYERS["linear"], LAYERS["local"], lambda: nn.Conv2d(3, 3, 4), lambda: nn.Conv2d(3, 3, (3, 2))]
)
def test_dirac_is_the_default_where_it_does_not_apply(make: Any) -> None:
    ours, plain = started(make(), "dirac"), started(make(), "default")
    assert torch.equal(ours.weight, plain.weight)
    assert torch.equal(ours.bias, plain.bias)


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_default_is_torchs_and_scale_multiplies_it(kind: str) -> None:
    plain, scaled = started(LAYERS[kind](), "default"), started(LAYERS[kind](), "scale", factor=2.5)
    torch.testing.assert_close(scaled.weight, 2.5 * plain.weight)
    torch.testing.assert_close(scaled.bias, 2.5 * plain.bias)
    bound = 1 / sqrt(FANS[kind][0])
    assert plain.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert plain.bias.abs().max().item() <= bound


@pytest.mark.parametrize("name", sorted(entry.name for entry in INITIALIZATIONS))
def test_a_seed_decides_and_norms_and_generators_are_left_alone(name: str) -> None:
    options = {"factor": 0.5} if name == "scale" else {}
    layers = [
        component("layer", "conv_bn_act", channels=8),
        component("layer", "locally_connected", channels=2),
        component("layer", "flatten"),
        component("layer", "linear"),
    ]

    def weights(seed: int) -> dict[str, torch.Tensor]:
        model = build(layers, (3, 6, 6), classes=4)
        before = torch.get_rng_state()
        started(model, name, seed, **options)
        assert torch.equal(torch.get_rng_state(), before)
        return {key: value.detach().clone() for key, value in model.named_parameters()}

    first = weights(0)
    torch.rand(7)
    second, other = weights(0), weights(1)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["locally_connected1.weight"], other["locally_connected1.weight"])
    assert torch.equal(first["conv_bn_act1.norm.weight"], torch.ones(8))
    assert torch.equal(first["conv_bn_act1.norm.bias"], torch.zeros(8))


def test_a_layers_start_does_not_depend_on_the_layers_beside_it() -> None:
    conv = component("layer", "conv", channels=4)
    end = [component("layer", "global_avg_pool"), component("layer", "linear")]
    short = started(build([conv, *end], (3, 6, 6), classes=4), "kaiming")
    long = started(build([conv, conv, *end], (3, 6, 6), classes=4), "kaiming")
    assert torch.equal(short.conv1.weight, long.conv1.weight)
    assert torch.equal(short.linear1.weight, long.linear1.weight)
    assert not torch.equal(long.conv2.weight[:, :3], long.conv1.weight)
