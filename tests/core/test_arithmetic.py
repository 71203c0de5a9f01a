import re

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from cnnlab.core.arithmetic import Sliding, transposed_size, transposed_size_formula, window_shape
from cnnlab.core.errors import ShapeError

sizes, kernels, strides = st.integers(1, 40), st.integers(1, 9), st.integers(1, 5)
paddings, dilations = st.integers(0, 6), st.integers(1, 4)
two = st.tuples


@settings(deadline=None)
@given(
    two(sizes, sizes), two(kernels, kernels), two(strides, strides), two(paddings, paddings), two(dilations, dilations)
)
def test_as_conv2d_does(size, kernel, stride, padding, dilation) -> None:
    images, weight = torch.zeros(1, 1, *size), torch.zeros(1, 1, *kernel)
    try:
        expected = F.conv2d(images, weight, stride=stride, padding=padding, dilation=dilation).shape[2:]
    except RuntimeError:
        with pytest.raises(ShapeError):
            window_shape((1, *size), kernel, stride=stride, padding=padding, dilation=dilation)
        return
    assert window_shape((1, *size), kernel, stride=stride, padding=padding, dilation=dilation) == expected


@settings(deadline=None)
@given(sizes, kernels, strides, dilations, st.data())
def test_as_max_pool2d_does(size, kernel, stride, dilation, data) -> None:
    padding = data.draw(st.integers(0, kernel // 2))
    result = Sliding(size, kernel, stride, padding, dilation).outputs
    assume(result >= 1)
    images = torch.empty(1, 1, size, size, device="meta")
    assert F.max_pool2d(images, kernel, stride, padding, dilation).shape[2:] == (result, result)


@settings(deadline=None)
@given(sizes, kernels, dilations)
def test_least_padding(size, kernel, dilation) -> None:
    padding = Sliding(size, kernel, dilation=dilation).least_padding
    assert Sliding(size, kernel, padding=padding, dilation=dilation).outputs >= 1
    assert padding == 0 or Sliding(size, kernel, padding=padding - 1, dilation=dilation).outputs < 1


def test_the_formula_is_filled_in() -> None:
    assert Sliding(32, 3, stride=2, padding=1).formula == "floor((32 + 2·1 − 1·(3−1) − 1)/2) + 1 = 16"


def test_a_window_that_does_not_fit() -> None:
    with pytest.raises(ShapeError) as caught:
        window_shape((3, 8, 2), (3, 5), padding=(0, 1))
    assert str(caught.value) == (
        "the width of its input, 2, is too small for a kernel of 5: "
        "floor((2 + 2·1 − 1·(5−1) − 1)/1) + 1 = 0; padding: [0, 2] would fit"
    )


@settings(deadline=None)
@given(
    two(sizes, sizes), two(kernels, kernels), two(strides, strides), two(paddings, paddings), two(dilations, dilations)
)
def test_the_padding_that_an_error_names_fits(size, kernel, stride, padding, dilation) -> None:
    options = {"stride": stride, "dilation": dilation}
    try:
        window_shape((1, *size), kernel, padding=padding, **options)
    except ShapeError as error:
        named = re.search(r"padding: (?:(\d+)|\[(\d+), (\d+)\]) would fit$", str(error))
        assert named
        fitting = (int(named[1]), int(named[1])) if named[1] else (int(named[2]), int(named[3]))
        window_shape((1, *size), kernel, padding=fitting, **options)


def test_a_padding_for_the_height_alone_is_no_padding_that_fits() -> None:
    with pytest.raises(ShapeError, match=re.escape("padding: [3, 7] would fit")):
        window_shape((1, 16, 8), (21, 21))


@settings(deadline=None)
@given(sizes, kernels, strides, paddings, dilations, st.data())
def test_as_conv_transpose2d_does(size, kernel, stride, padding, dilation, data) -> None:
    more = data.draw(st.integers(0, max(stride, dilation) - 1))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": more}
    result = transposed_size(size, kernel, **options)
    assume(result >= 1)
    images, weight = torch.empty(1, 1, size, size, device="meta"), torch.empty(1, 1, kernel, kernel, device="meta")
    assert F.conv_transpose2d(images, weight, **options).shape[2:] == (result, result)
    assert transposed_size_formula(size, kernel, **options).endswith(f"= {result}")
