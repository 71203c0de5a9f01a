from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn


@settings(deadline=None, max_examples=30)
@given(size=st.integers(4, 12), stride=st.integers(1, 3), inputs=st.integers(1, 4), channels=st.integers(1, 4))
def test_a_projection_only_where_shapes_differ(
    one_layer: Any, size: int, stride: int, inputs: int, channels: int
) -> None:
    body = [{"conv": {"channels": channels, "stride": stride}}]
    module, output = one_layer("residual", (inputs, size, size), layers=body)
    differs = output != (inputs, size, size)
    assert [type(layer) for layer in module.shortcut] == ([nn.Conv2d, nn.BatchNorm2d] if differs else [])
    assert output == (channels, *[-(-size // stride)] * 2)
    assert module(torch.zeros(2, inputs, size, size)).shape == (2, *output)


def test_a_residual_that_adds_nothing_is_its_activation(one_layer: Any) -> None:
    x = torch.randn(2, 3, 5, 5)
    for activation, expected in (("relu", x.relu()), ("none", x)):
        module, _ = one_layer("residual", (3, 5, 5), layers=[{"conv": {"channels": 3}}], activation=activation)
        nn.init.zeros_(module.body[0].weight)
        nn.init.zeros_(module.body[0].bias)
        assert torch.equal(module(x), expected)


def test_a_shortcut_of_ones_own(one_layer: Any) -> None:
    """The shortcut of ResNet-D (He et al. 2018, arXiv:1812.01187): average first, then project."""
    own = ["avg_pool", {"conv": {"channels": 8, "kernel": 1}}]
    module, output = one_layer("residual", (4, 8, 8), layers=[{"conv": {"channels": 8, "stride": 2}}], shortcut=own)
    assert output == (8, 4, 4)
    assert [type(layer) for layer in module.shortcut] == [nn.AvgPool2d, nn.Conv2d]


def test_a_flat_residual_projects_with_a_linear_layer(one_layer: Any) -> None:
    kept, _ = one_layer("residual", (6,), layers=["relu", {"linear": {"features": 6}}])
    changed, output = one_layer("residual", (6,), layers=[{"linear": {"features": 4}}])
    assert len(kept.shortcut) == 0
    assert [type(layer) for layer in changed.shortcut] == [nn.Linear, nn.BatchNorm1d]
    assert output == (4,)


@pytest.mark.parametrize(
    "order", ["conv norm act", "conv act norm", "norm conv act", "norm act conv", "act conv norm", "act norm conv"]
)
def test_order_and_bias(order: str, one_layer: Any) -> None:
    block, output = one_layer("conv_bn_act", (3, 8, 8), channels=5, order=order, stride=2)
    names = {"conv": "conv", "norm": "norm", "act": "activation"}
    assert [name for name, _ in block.named_children()] == [names[part] for part in order.split()]
    assert output == (5, 4, 4)
    assert (block.conv.bias is None) is ("conv norm" in order)
    assert block.norm.num_features == (3 if order.index("norm") < order.index("conv") else 5)


def test_branches_of_dilated_convolutions(one_layer: Any) -> None:
    """Atrous spatial pyramid pooling: the same 3×3 at dilations 1, 2, 4, side by side."""
    branches = [[{"conv": {"channels": 4, "dilation": d}}] for d in (1, 2, 4)]
    module, output = one_layer("parallel", (3, 16, 16), branches=branches)
    assert output == (12, 16, 16)
    assert [branch[0].dilation for branch in module.children()] == [(1, 1), (2, 2), (4, 4)]


def test_repeated_layers_have_weights_of_their_own(one_layer: Any) -> None:
    module, _ = one_layer("repeat", (4, 8, 8), times=3, layers=[{"conv": {"channels": 4}}])
    first, second, third = (round_[0].weight for round_ in module)
    assert len({id(first), id(second), id(third)}) == 3
    assert not torch.equal(first, second)


def test_squeeze_and_excitation_scales_each_channel_between_0_and_1(one_layer: Any) -> None:
    module, output = one_layer("squeeze_excite", (32, 6, 6))
    assert output == (32, 6, 6)
    assert module.reduce.out_features == 2
    x = torch.rand(2, 32, 6, 6) + 0.1
    ratio = module(x) / x
    assert ((ratio > 0) & (ratio < 1)).all()
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio))
