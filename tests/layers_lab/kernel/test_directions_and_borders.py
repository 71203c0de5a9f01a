"""Correlation, convolution and borders against scipy; what turning a kernel does, by its symmetry."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import convolve, correlate

from cnnlab.layers_lab.kernel.borders import at_the_borders
from cnnlab.layers_lab.kernel.direction import both_directions
from cnnlab.layers_lab.kernel.subject import kernel_of

IMAGE = torch.rand(1, 11, 14, generator=torch.Generator().manual_seed(0))
SCIPY = {"zero": "constant", "reflect": "mirror", "replicate": "nearest", "circular": "wrap"}


def weights(name: str) -> torch.Tensor:
    return kernel_of(name)[1][None]


@pytest.mark.parametrize("name", ["1 2 3; 4 5 6; 7 8 -9", "1 2 3 4 5", "gaussian:sigma=0.5"])
def test_every_border_is_scipys(name: str) -> None:
    found = at_the_borders(IMAGE, weights(name))
    for way in found.ways:
        if way.border == "valid":
            top, bottom, left, right = found.margins
            inner = found.ways[0].output[top : 11 - bottom, left : 14 - right]
            assert torch.allclose(way.output, inner, atol=1e-5)
        else:
            expected = correlate(IMAGE[0].numpy(), weights(name)[0].numpy(), mode=SCIPY[way.border])
            assert way.output.numpy() == pytest.approx(expected, abs=1e-5), way.border


def test_borders_differ_in_the_frame_alone() -> None:
    found = at_the_borders(IMAGE, weights("box:size=5"))
    assert found.margins == (2, 2, 2, 2)
    assert found.spoiled == found.outputs - 7 * 10 == 84
    assert found.spread_inside == 0
    assert at_the_borders(IMAGE, weights("2")).spoiled == 0


def test_an_even_kernel_reads_one_pixel_more_below_and_to_the_right() -> None:
    kernel = weights("1 2; 3 4")
    found = at_the_borders(IMAGE, kernel)
    expected = F.conv2d(F.pad(IMAGE[None], (0, 1, 0, 1)), kernel[None])[0, 0]
    assert found.margins == (0, 1, 0, 1)
    assert torch.allclose(found.ways[0].output, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["sobel_x", "scharr_y", "laplacian", "emboss", "1 2 3; 4 5 6; 7 8 -9"])
def test_convolution_is_scipys(name: str) -> None:
    found = both_directions(IMAGE, weights(name), "reflect")
    expected = convolve(IMAGE[0].numpy(), weights(name)[0].numpy(), mode="mirror")
    assert found.convolution.numpy() == pytest.approx(expected, abs=1e-5)


def test_of_an_odd_kernel_every_sign_is_reversed() -> None:
    found = both_directions(IMAGE, weights("sobel_x"), "zero")
    assert (found.odd_share, found.sum, found.reversed_share) == (1.0, 0.0, 1.0)
    assert found.there[0] == -found.there[1]
    assert found.similarity == pytest.approx(-1)
    assert 1 <= found.row <= 9  # the edge of the padding is stronger, and none of the image's
    assert 1 <= found.column <= 12


def test_of_an_even_kernel_nothing_changes() -> None:
    found = both_directions(IMAGE, weights("laplacian"), "zero")
    assert (found.odd_share, found.difference, found.reversed_share) == (0.0, 0.0, 0.0)
    assert found.similarity == pytest.approx(1)


def test_of_any_other_kernel_the_odd_share_is_that_of_its_odd_part() -> None:
    found = both_directions(IMAGE, weights("0 0 2"), "zero")  # (0 0 2) = (1 0 1) + (−1 0 1)
    assert found.odd_share == 0.5
    assert found.difference > 0
    assert found.sum > 0


def test_of_a_black_image_nothing_is_told() -> None:
    found = both_directions(torch.zeros(1, 5, 5), weights("sobel_x"), "valid")
    assert (found.largest, found.reversed_share, found.similarity) == (0.0, None, None)
    assert not np.isnan(found.odd_share)
