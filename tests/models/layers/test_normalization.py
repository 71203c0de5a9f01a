from typing import Any

import pytest
import torch
from torch import nn

NORMS = {
    "batch_norm": (0, 2, 3),
    "layer_norm": (1, 2, 3),
    "channel_layer_norm": (1,),
    "instance_norm": (2, 3),
}


@pytest.mark.parametrize("name", sorted(NORMS))
def test_mean_0_and_variance_1_over_its_axes(name: str, one_layer: Any) -> None:
    module, _ = one_layer(name, (4, 8, 8))
    y = module(5 + 3 * torch.randn(16, 4, 8, 8)).double()
    axes = NORMS[name]
    torch.testing.assert_close(y.mean(axes), torch.zeros_like(y.mean(axes)), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var(axes, correction=0), torch.ones_like(y.mean(axes)), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("name", "options", "training", "crosses"),
    [
        ("batch_norm", {}, True, True),
        ("batch_norm", {}, False, False),
        ("layer_norm", {}, True, False),
        ("channel_layer_norm", {}, True, False),
        ("instance_norm", {}, True, False),
        ("group_norm", {"groups": 2}, True, False),
        ("dyt", {}, True, False),
        ("none", {}, True, False),
    ],
)
def test_only_batch_norm_crosses_images(name: str, options: Any, training: bool, crosses: bool, one_layer: Any) -> None:
    """Figure 19.4.2: another second image changes the first one's output only in batch norm while it trains."""
    module, _ = one_layer(name, (4, 6, 6), **options)
    module.train(training)
    x = torch.randn(2, 4, 6, 6)
    other = torch.stack([x[0], x[1] + 10])
    assert torch.equal(module(x)[0], module(other)[0]) is not crosses


def test_groups_at_their_ends_are_instance_and_layer_norm(one_layer: Any) -> None:
    """Section 19.4: as many groups as channels is instance norm, one group layer norm."""
    x = torch.randn(3, 32, 5, 5)
    group = one_layer("group_norm", (32, 5, 5))[0]
    torch.testing.assert_close(group(x), one_layer("instance_norm", (32, 5, 5))[0](x))
    single = one_layer("group_norm", (32, 5, 5), groups=1)[0]
    torch.testing.assert_close(single(x), nn.LayerNorm((32, 5, 5))(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(single(x), one_layer("layer_norm", (32, 5, 5))[0](x))


def test_layer_norm_takes_any_image_size_unless_affine_per_element(one_layer: Any) -> None:
    larger = torch.randn(2, 4, 9, 9)
    for affine in ("channel", "none"):
        assert one_layer("layer_norm", (4, 6, 6), affine=affine)[0](larger).shape == larger.shape
    with pytest.raises(RuntimeError):
        one_layer("layer_norm", (4, 6, 6), affine="element")[0](larger)


def test_a_convolutions_bias_and_scale_are_lost_in_batch_norm(one_layer: Any) -> None:
    """Exercise 19.4.1: why conv_bn_act has no bias; with dyt or no norm the bias matters, and it has one."""
    block, _ = one_layer("conv_bn_act", (3, 8, 8), channels=4, bias=True)
    x = torch.randn(8, 3, 8, 8)
    before = block(x)
    with torch.no_grad():
        block.conv.bias.add_(3)
        block.conv.weight.mul_(7)
        block.conv.bias.mul_(7)
    torch.testing.assert_close(block(x), before, rtol=1e-3, atol=1e-3)
    biases = {
        norm: one_layer("conv_bn_act", (3, 8, 8), channels=32, norm=norm)[0].conv.bias is not None
        for norm in ("batch_norm", "layer_norm", "channel_layer_norm", "group_norm", "instance_norm", "dyt", "none")
    }
    assert [norm for norm, biased in biases.items() if biased] == ["dyt", "none"]
