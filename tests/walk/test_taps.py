"""The tables of windows against torch: NaN in one input at a time, and which outputs turn NaN."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.walk import taps

small = st.integers(1, 4)
sizes = st.integers(1, 25)


def reads(function: Callable[[Tensor], Tensor], size: int) -> NDArray[np.bool_]:
    """(outputs, size): whether an output reads an input, of an operation on (images, 1, size, 2)."""
    images = torch.randn(size, 1, size, 2, generator=torch.Generator().manual_seed(0)).abs() + 1
    images[torch.arange(size), 0, torch.arange(size)] = float("nan")
    return function(images)[:, 0, :, 0].isnan().T.numpy()


def agree(table: taps.Taps, function: Callable[[Tensor], Tensor], size: int) -> None:
    seen = reads(function, size)
    said = np.zeros_like(seen)
    assert len(table) == len(seen)
    outputs, places = np.nonzero(table >= 0)
    said[outputs, table[outputs, places]] = True
    np.testing.assert_array_equal(said, seen)
    assert table.max(initial=-2) < size
    assert table.min(initial=0) >= -2
    assert not table.flags.writeable


@settings(deadline=None, max_examples=200)
@given(sizes, small, small, st.integers(0, 4), small)
def test_convolution(size: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    outputs = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    assume(outputs > 0)
    table = taps.window(size, outputs, kernel, stride, padding, dilation)
    weight = torch.ones(1, 1, kernel, 1)
    agree(table, lambda x: F.conv2d(x, weight, None, (stride, 1), (padding, 0), (dilation, 1)), size)
    index = np.arange(outputs)[:, None] * stride - padding + np.arange(kernel) * dilation
    np.testing.assert_array_equal(table == taps.PADDING, (index < 0) | (index >= size))


@settings(deadline=None, max_examples=200)
@given(sizes, small, small, st.integers(0, 2), st.booleans())
def test_pool(size: int, kernel: int, stride: int, padding: int, ceil: bool) -> None:
    assume(padding <= kernel // 2 and size + 2 * padding >= kernel)

    def pool(x: Tensor) -> Tensor:
        return F.max_pool2d(x, (kernel, 1), (stride, 1), (padding, 0), ceil_mode=ceil)

    outputs = pool(torch.zeros(1, 1, size, 2)).shape[2]
    agree(taps.window(size, outputs, kernel, stride, padding, 1), pool, size)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 12), small, small, st.integers(0, 3), small, st.integers(0, 3))
def test_transposed(size: int, kernel: int, stride: int, padding: int, dilation: int, more: int) -> None:
    outputs = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + more + 1
    assume(outputs > 0 and more < max(stride, dilation))
    weight = torch.ones(1, 1, kernel, 1)
    agree(
        taps.transposed(size, outputs, kernel, stride, padding, dilation),
        lambda x: F.conv_transpose2d(x, weight, None, (stride, 1), (padding, 0), (more, 0), 1, (dilation, 1)),
        size,
    )


@settings(deadline=None, max_examples=100)
@given(sizes, sizes)
def test_adaptive(size: int, outputs: int) -> None:
    for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d):
        agree(taps.adaptive(size, outputs), lambda x, pool=pool: pool(x, (outputs, 2)), size)


@settings(deadline=None, max_examples=150)
@given(sizes, st.integers(-4, 9), st.integers(-4, 9), st.sampled_from(["constant", "reflect", "replicate"]))
def test_padded(size: int, left: int, right: int, mode: str) -> None:
    assume(size + left + right > 0)
    if mode == "constant":
        assume(min(left, right) > -size)
    else:
        assume(min(left, right) >= 0 and (mode == "replicate" or max(left, right) < size))
    agree(taps.padded(size, left, right, mode), lambda x: F.pad(x, (0, 0, left, right), mode), size)


MODES = {"nearest": "nearest", "nearest-exact": "nearest-exact", "bilinear": "linear", "bicubic": "cubic"}


@settings(deadline=None, max_examples=400)
@given(sizes, st.integers(1, 40), st.sampled_from(list(MODES)), st.booleans(), st.booleans())
@example(3, 3, "bicubic", True, False)
@example(3, 3, "bilinear", True, False)
def test_interpolated_to_a_size(size: int, outputs: int, mode: str, corners: bool, antialias: bool) -> None:
    linear = mode.startswith("bi")
    corners, antialias = corners and linear, antialias and linear and not corners
    agree(
        taps.interpolated(size, outputs, MODES[mode], corners, None, antialias),
        lambda x: F.interpolate(
            x, (outputs, 2), mode=mode, align_corners=corners if linear else None, antialias=antialias
        ),
        size,
    )


@settings(deadline=None, max_examples=400)
@given(sizes, st.floats(0.2, 4), st.sampled_from(list(MODES)), st.booleans(), st.booleans())
def test_interpolated_by_a_factor(size: int, factor: float, mode: str, corners: bool, antialias: bool) -> None:
    linear = mode.startswith("bi")
    corners, antialias = corners and linear, antialias and linear and not corners
    outputs = int(size * factor)
    assume(outputs > 0)
    agree(
        taps.interpolated(size, outputs, MODES[mode], corners, factor, antialias),
        lambda x: F.interpolate(
            x, scale_factor=(factor, 1.0), mode=mode, align_corners=corners if linear else None, antialias=antialias
        ),
        size,
    )


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 12), small, small, st.integers(0, 3), small)
def test_folded(size: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    places = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    assume(places > 0)
    table = taps.folded(size, kernel, places, stride, padding, dilation)
    columns = torch.randn(kernel * places, kernel, places)
    columns.view(kernel * places, -1)[torch.arange(kernel * places), torch.arange(kernel * places)] = float("nan")
    seen = F.fold(columns, (size, 1), (kernel, 1), (dilation, 1), (padding, 0), (stride, 1))[:, 0, :, 0].isnan().T
    said = np.zeros(seen.shape, bool)
    outputs, taken = np.nonzero(table >= 0)
    said[outputs, table[outputs, taken]] = True
    np.testing.assert_array_equal(said, seen.numpy())


@pytest.mark.parametrize("size", [1, 5, 16])
def test_tables_are_made_once(size: int) -> None:
    assert taps.window(size, size, 1, 1, 0, 1) is taps.window(size, size, 1, 1, 0, 1)
