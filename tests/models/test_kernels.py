"""Hand-made kernels against scipy's filters, and against their formulas written out."""

import math

import numpy as np
import pytest
from scipy import ndimage

from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.models.kernels import KERNELS

IMAGE = np.random.default_rng(0).normal(size=(24, 24))


def kernel(name: str, **options: object) -> np.ndarray:
    return np.asarray(component("kernel", name, **options).build())


def applied(weights: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.correlate(IMAGE, weights, mode="mirror"))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (kernel("sobel_x"), ndimage.sobel(IMAGE, axis=1, mode="mirror")),
        (kernel("sobel_y"), ndimage.sobel(IMAGE, axis=0, mode="mirror")),
        (kernel("prewitt_x"), ndimage.prewitt(IMAGE, axis=1, mode="mirror")),
        (kernel("laplacian"), ndimage.laplace(IMAGE, mode="mirror")),
        (kernel("gaussian", sigma=1.5, size=11), ndimage.gaussian_filter(IMAGE, 1.5, radius=5, mode="mirror")),
        (kernel("box", size=5), ndimage.uniform_filter(IMAGE, 5, mode="mirror")),
        (kernel("identity"), IMAGE),
        (kernel("sharpen", amount=2.0), IMAGE - 2 * ndimage.laplace(IMAGE, mode="mirror")),
    ],
)
def test_they_filter_as_scipy_does(weights: np.ndarray, expected: np.ndarray) -> None:
    assert applied(weights) == pytest.approx(expected, abs=1e-12)


def test_a_derivative_in_any_direction_is_the_largest_across_the_edge() -> None:
    """A ramp that rises at 30°: the derivative in that direction is the slope, across it nothing."""
    rows, columns = np.indices((9, 9))
    ramp = columns * math.cos(math.radians(30)) - rows * math.sin(math.radians(30))
    for name, gain in (("prewitt", 6), ("sobel", 8), ("scharr", 32)):
        along, across = (ndimage.correlate(ramp, kernel(name, angle=a))[4, 4] for a in (30, 120))
        assert (along, across) == pytest.approx((gain, 0), abs=1e-12)


def test_a_gabor_function_pixel_by_pixel() -> None:
    made = kernel("gabor", angle=30, wavelength=5, phase=90, sigma=2, aspect=0.5, size=7)
    for row in range(7):
        for column in range(7):
            x, y = column - 3, 3 - row
            u = x * math.cos(math.radians(30)) + y * math.sin(math.radians(30))
            v = y * math.cos(math.radians(30)) - x * math.sin(math.radians(30))
            expected = math.exp(-(u**2 + 0.25 * v**2) / 8) * math.cos(2 * math.pi * u / 5 - math.pi / 2)
            assert made[row, column] == pytest.approx(expected, abs=1e-12)


def test_a_difference_of_gaussians_takes_a_constant_away() -> None:
    assert kernel("difference_of_gaussians", sigma=1.2).sum() == pytest.approx(0, abs=1e-12)


def test_each_is_there_without_an_option_and_says_what_it_is() -> None:
    names = [entry.name for entry in KERNELS]
    assert {"sobel_x", "scharr_y", "prewitt", "gabor", "emboss"} <= set(names)
    for entry in KERNELS:
        assert entry.summary.endswith((".", ":")), entry.name
        assert kernel(entry.name).ndim == 2


def test_a_kernel_that_would_be_huge_is_refused() -> None:
    with pytest.raises(RequestError, match=r"it would be 601 × 601 px, 255 at most"):
        kernel("gaussian", sigma=100)
