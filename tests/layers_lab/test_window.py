import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from cnnlab.layers_lab.stack import Window, window_of
from cnnlab.models.layers.convolution import LocallyConnected2d
from cnnlab.models.layers.pooling import BlurPool2d

pairs = st.tuples(st.integers(1, 5), st.integers(1, 5))
paddings = st.tuples(st.integers(0, 3), st.integers(0, 3))
small = st.tuples(st.integers(1, 3), st.integers(1, 3))
sizes = st.tuples(st.integers(9, 20), st.integers(9, 20))


def promised(module: nn.Module, size: tuple[int, int]) -> tuple[int, int]:
    """What the formulas end with."""
    window = window_of(module)
    assert window is not None
    height, width = (int(text.rpartition(" = ")[2]) for text in window.formulas(size))
    return height, width


def made(module: nn.Module, size: tuple[int, int], channels: int = 2) -> tuple[int, ...]:
    with torch.no_grad():
        return tuple(module(torch.zeros(1, channels, *size)).shape[2:])


@settings(deadline=None, max_examples=40)
@given(sizes, pairs, small, paddings, small)
def test_convolutions(size, kernel, stride, padding, dilation) -> None:
    assume(all(d * (k - 1) < n for n, k, d in zip(size, kernel, dilation, strict=True)))
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    for module in (nn.Conv2d(2, 4, kernel, groups=2, **options), LocallyConnected2d((2, *size), 3, kernel, **options)):
        assert promised(module, size) == made(module, size)
        assert window_of(module) == Window(kernel, stride, padding, dilation)


@settings(deadline=None, max_examples=40)
@given(sizes, pairs, small, paddings, small)
def test_transposed_convolutions(size, kernel, stride, padding, dilation) -> None:
    more = (stride[0] - 1, stride[1] - 1)
    module = nn.ConvTranspose2d(2, 3, kernel, stride=stride, padding=padding, dilation=dilation, output_padding=more)
    assert promised(module, size) == made(module, size)


@settings(deadline=None, max_examples=40)
@given(sizes, pairs, st.none() | small)
def test_pools(size, kernel, stride) -> None:
    padding = (kernel[0] // 2, kernel[1] // 2)
    for module in (nn.MaxPool2d(kernel, stride, padding), nn.AvgPool2d(kernel, stride, padding)):
        assert promised(module, size) == made(module, size)


@pytest.mark.parametrize(("kernel", "stride"), [(3, (2, 2)), (5, (3, 1))])
def test_blurring(kernel: int, stride: tuple[int, int]) -> None:
    module = BlurPool2d(kernel, stride, "reflect")
    assert promised(module, (9, 12)) == made(module, (9, 12))


def test_the_extent_is_from_the_first_tap_to_the_last() -> None:
    assert Window((3, 5), (1, 1), (0, 0), (2, 1)).extent == (5, 5)


@pytest.mark.parametrize(
    "module",
    [nn.ReLU(), nn.Linear(2, 2), nn.Flatten(), nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(1, 1, 3, padding="same")],
)
def test_without_a_window_or_with_another_formula(module: nn.Module) -> None:
    assert window_of(module) is None
