from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers import ScaledStdConv2d
from torch import nn

from cnnlab.models.build import parameter_count
from cnnlab.models.layers.convolution import StandardizedConv2d


@pytest.mark.parametrize(
    ("options", "shape"),
    [({}, (16, 32, 32)), ({"padding": 0}, (16, 30, 30)), ({"stride": 2}, (16, 16, 16))],
)
@pytest.mark.parametrize("size", [32, 4096])
def test_parameters_do_not_depend_on_the_image(one_layer: Any, options: Any, shape: Any, size: int) -> None:
    """Section 19.2, fragment 1 and the key insight: 448 parameters at 32×32 and at 4096×4096."""
    module, output = one_layer("conv", (3, size, size), channels=16, **options)
    assert parameter_count(module) == 448
    assert module.weight.numel() == 432
    if size == 32:
        assert output == shape


@pytest.mark.parametrize(
    ("options", "size", "weights"),
    [
        ({"kernel": 7, "stride": 2, "padding": 3}, 112, 3_136),
        ({"kernel": 3, "padding": 1, "dilation": 2}, 222, 576),
        ({"kernel": 5, "stride": 2, "padding": 0}, 110, 1_600),
    ],
)
def test_exercise_19_2_1(one_layer: Any, options: Any, size: int, weights: int) -> None:
    module, output = one_layer("conv", (1, 224, 224), channels=64, **options)
    assert output == (64, size, size)
    assert module.weight.numel() == weights


def test_exercise_19_2_2_separable_against_plain(one_layer: Any) -> None:
    """18,496 against 320 + 2,112 = 2,432 parameters for 32 → 64 channels, the same shape."""
    plain, shape = one_layer("conv", (32, 64, 64), channels=64)
    separable, same = one_layer("depthwise_separable", (32, 64, 64), channels=64)
    assert shape == same == (64, 64, 64)
    assert parameter_count(plain) == 18_496
    assert parameter_count(separable) == 2_432
    assert [parameter_count(part) for part in separable] == [320, 2_112]


def test_stride_two_without_and_with_padding(one_layer: Any) -> None:
    """Exercise 19.2.3: 32 → 15 → 7 → 3 without padding, 32 → 16 → 8 → 4 with 1."""
    for padding, chain in ((0, [15, 7, 3]), (1, [16, 8, 4])):
        size, sizes = 32, []
        for _ in range(3):
            _, (_, size, _) = one_layer("conv", (1, size, size), channels=1, stride=2, padding=padding)
            sizes.append(size)
        assert sizes == chain


@settings(deadline=None, max_examples=40)
@given(
    kernel=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_same_padding_keeps_the_size(one_layer: Any, kernel: Any, dilation: Any, size: Any) -> None:
    """At stride 1, for every window that has such a padding, even kernels at an even dilation included."""
    if all(d * (k - 1) % 2 == 0 for k, d in zip(kernel, dilation, strict=True)):
        _, output = one_layer("conv", (2, *size), channels=3, kernel=kernel, dilation=dilation)
        assert output == (3, *size)


def test_a_1x1_convolution_is_a_matrix_at_each_pixel(one_layer: Any) -> None:
    module, _ = one_layer("conv", (5, 4, 6), channels=3, kernel=1, bias=False)
    x = torch.randn(2, 5, 4, 6)
    torch.testing.assert_close(module(x), torch.einsum("oc,nchw->nohw", module.weight[:, :, 0, 0], x))


@settings(deadline=None, max_examples=20)
@given(factor=st.floats(0.5, 100), offset=st.floats(-3, 3), groups=st.sampled_from([1, 2]))
def test_standardised_filters(one_layer: Any, factor: float, offset: float, groups: int) -> None:
    """Mean 0 and sum of squares 1 per filter (variance 1/fan-in), whatever scale and offset the weight has."""
    module, _ = one_layer("conv", (4, 8, 8), channels=6, groups=groups, weight_standardization=True)
    assert isinstance(module, StandardizedConv2d)
    assert parameter_count(module) == 6 * (4 // groups) * 9 + 6 + 6
    with torch.no_grad():
        before = module.standardized_weight()
        module.weight.mul_(factor).add_(offset)
        filters = module.standardized_weight()
    torch.testing.assert_close(filters, before, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(filters.flatten(1).mean(1), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(filters.flatten(1).square().sum(1), torch.ones(6), atol=1e-3, rtol=0)
    x = torch.randn(1, 4, 8, 8)
    expected = torch.nn.functional.conv2d(x, filters, module.bias, padding=1, groups=groups)
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("groups", [1, 2])
def test_standardised_filters_are_timms(one_layer: Any, groups: int) -> None:
    """timm adds an eps to the variance, the authors a floor; with next to no eps they agree"""
    module, _ = one_layer("conv", (4, 8, 8), channels=6, stride=2, groups=groups, weight_standardization=True)
    theirs = ScaledStdConv2d(4, 6, 3, stride=2, groups=groups, eps=1e-30)
    nn.init.normal_(module.gain)
    theirs.load_state_dict(module.state_dict())
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(module.double()(x), theirs.double()(x), rtol=1e-10, atol=1e-10)
