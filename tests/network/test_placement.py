"""The way back from what the network sees to the image, against torch's own resizing and against `Fitting`."""

from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.data.fitting import Fit, Fitting
from cnnlab.network.placement import WHOLE, laid_over, placement_of


@settings(max_examples=40, deadline=None)
@given(h=st.integers(1, 9), w=st.integers(1, 9), height=st.integers(1, 40), width=st.integers(1, 40))
def test_a_whole_image_is_covered_as_interpolate_does(h: int, w: int, height: int, width: int) -> None:
    values = torch.randn(h, w, dtype=torch.float64, generator=torch.Generator().manual_seed(h * 10 + w))
    expected = F.interpolate(values[None, None], size=(height, width), mode="bilinear", align_corners=False)[0, 0]
    np.testing.assert_allclose(laid_over(values.numpy(), WHOLE, (height, width), smooth=True), expected, atol=1e-12)


def test_the_nearest_cell_for_maps_of_pixels() -> None:
    values = np.arange(6.0).reshape(2, 3)
    laid = laid_over(values, WHOLE, (4, 6), smooth=False)
    np.testing.assert_array_equal(laid, values.repeat(2, 0).repeat(2, 1))


@settings(max_examples=150, deadline=None)
@given(
    height=st.integers(6, 90),
    width=st.integers(6, 90),
    size=st.sampled_from([(30, 30), (20, 50), (48, 16)]),
    fit=st.sampled_from(get_args(Fit)),
    share=st.sampled_from([None, 0.875, 1.0]),
)
def test_what_is_seen_is_where_fitting_took_it_from(
    height: int, width: int, size: tuple[int, int], fit: Fit, share: float | None
) -> None:
    """Coordinates, fitted like any image, come back to where they were, to within the coarser pixel."""
    fitting = Fitting(size, fit, crop_share=None if fit == "letterbox" else share)
    rows = torch.linspace(40, 215, height)[:, None].expand(height, width)
    columns = torch.linspace(40, 215, width)[None, :].expand(height, width)
    placement, window = placement_of(height, width, fitting), fitting.window(height, width)
    for axis, (image, length) in enumerate(((rows, height), (columns, width))):
        fitted = fitting(image.round().to(torch.uint8)[None].contiguous())[0].float()
        assert fitted.shape == size
        back = laid_over(fitted.numpy(), placement, (height, width), smooth=False)
        seen = np.isfinite(back)
        assert seen.any()
        assert fit == "crop" or share == 0.875 or seen.all()
        scale = window.cut[2 + axis] / window.resized[axis]
        step = 175 / (length - 1)
        error = np.abs(back - image.numpy())[seen]
        assert error.max() <= 1.5 * max(1.0, scale) * step + 1


@settings(max_examples=80, deadline=None)
@given(
    data=st.data(),
    height=st.integers(40, 160),
    width=st.integers(40, 160),
    size=st.sampled_from([(32, 32), (64, 160), (48, 24)]),
    fit=st.sampled_from(get_args(Fit)),
    share=st.sampled_from([None, 0.875]),
)
def test_a_marker_lands_where_the_map_says(
    data: st.DataObject, height: int, width: int, size: tuple[int, int], fit: Fit, share: float | None
) -> None:
    """A bright block of the image, found in what the network sees, is laid over the image at the same place."""
    fitting = Fitting(size, fit, crop_share=None if fit == "letterbox" else share)
    top, left = data.draw(st.integers(0, height - 8)), data.draw(st.integers(0, width - 8))
    image = torch.zeros(1, height, width, dtype=torch.uint8)
    image[:, top : top + 8, left : left + 8] = 255
    placement = placement_of(height, width, fitting)
    rows, columns = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    inside = (
        ((rows >= placement.top) & (rows < placement.bottom))[:, None]
        & ((columns >= placement.left) & (columns < placement.right))[None, :]
    )  # fmt: skip
    if not inside[top : top + 8, left : left + 8].all():
        return
    laid = np.nan_to_num(laid_over(fitting(image)[0].numpy().astype(float), placement, (height, width), smooth=False))
    assert laid.max() > 0
    found = (laid * np.arange(height)[:, None]).sum() / laid.sum(), (laid * np.arange(width)).sum() / laid.sum()
    window = fitting.window(height, width)
    for place, start, cut, resized in zip(found, (top, left), window.cut[2:], window.resized, strict=True):
        assert abs(place - (start + 3.5)) <= 1.0 + cut / resized


@pytest.mark.parametrize(("height", "width"), [(300, 500), (500, 300), (7, 8), (11, 30)])
def test_a_cut_leaves_the_rest_out(height: int, width: int) -> None:
    placement = placement_of(height, width, Fitting((32, 32)))
    laid = laid_over(np.ones((4, 4)), placement, (height, width), smooth=True)
    side = min(height, width)
    assert np.isfinite(laid).sum() == side * side
    first_row, last_row, first_column, last_column = placement.seen(height, width) or (0, 0, 0, 0)
    assert np.isfinite(laid[first_row : last_row + 1, first_column : last_column + 1]).all()
    assert (last_row - first_row + 1, last_column - first_column + 1) == (side, side)
    # the corner of torchvision's own cut
    image = torch.arange(height * width).reshape(1, height, width)
    from torchvision.transforms.v2 import functional

    corner = divmod(int(functional.center_crop(image, [side, side])[0, 0, 0]), width)
    assert corner == (first_row, first_column)


def test_bars_cover_nothing_of_the_image() -> None:
    placement = placement_of(20, 40, Fitting((32, 32), "letterbox"))
    assert placement.seen(20, 40) is None
    values = np.zeros((32, 32))
    values[:8] = 9.0  # the bar above: (32 − 16)/2 rows
    laid = laid_over(values, placement, (20, 40), smooth=False)
    assert np.isfinite(laid).all()
    assert laid.max() == 0
    assert placement_of(30, 30, Fitting((32, 32), "letterbox")) == WHOLE
