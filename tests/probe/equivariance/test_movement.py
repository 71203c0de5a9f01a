"""Closed forms: waves that are moved, turned and enlarged by what they are made of."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.probe.equivariance.movement import band_limited, discs, entering_zeros, noise, scaled, shifted, turned


def wave(across: int, down: int, by: tuple[float, float] = (0, 0), size: int = 12) -> torch.Tensor:
    """A wave with whole periods on the torus, moved down and to the right."""
    rows = torch.arange(size, dtype=torch.float64)[:, None] - by[0]
    columns = torch.arange(size, dtype=torch.float64)[None, :] - by[1]
    return torch.cos(2 * math.pi / size * (across * columns + down * rows) + 0.3)[None, None]


@given(st.integers(0, 5), st.integers(0, 5), st.floats(-12, 12), st.integers(0, 1))
def test_a_shift_is_exact_for_waves(across: int, down: int, by: float, axis: int) -> None:
    moved = wave(across, down, (by, 0) if axis == 0 else (0, by))
    torch.testing.assert_close(shifted(wave(across, down), by, axis), moved, rtol=0, atol=1e-6)


def test_whole_shifts_move_values_and_nothing_else() -> None:
    images = torch.randn(1, 2, 5, 6)
    assert torch.equal(shifted(images, 2, 1), images.roll(2, 3))
    expected = images.roll(-1, 2)
    expected[:, :, -1] = 0
    assert torch.equal(entering_zeros(images, -1, 0), expected)
    assert float(entering_zeros(images, 2, 1)[..., :2].abs().max()) == 0


def test_band_limited_images_keep_low_waves_and_lose_high_ones() -> None:
    low, high = wave(2, 1), wave(5, 1)
    torch.testing.assert_close(band_limited(low + high), low, rtol=0, atol=1e-9)


@pytest.mark.parametrize("degrees", [90, 180, 270, -90])
def test_quarters_are_exact(degrees: int) -> None:
    images = torch.randn(1, 2, 7, 7)
    assert torch.equal(turned(images, degrees, (3.0, 3.0)), torch.rot90(images, degrees // 90, (2, 3)))


@pytest.mark.parametrize(("degrees", "factor"), [(15, 1), (-130, 1), (45, 1), (0, 1.25), (0, 0.8)])
def test_patterns_are_turned_and_enlarged_as_they_are_drawn_so(degrees: float, factor: float) -> None:
    plain, wanted = discs(2, (3, 32, 32), 5), discs(2, (3, 32, 32), 5, degrees=degrees, factor=factor)
    centre = (15.5, 15.5)
    made = scaled(turned(plain, degrees, centre), factor, centre)
    assert float((made - wanted).norm() / wanted.norm()) < 2e-3


def test_about_the_centre_of_the_image_where_a_coarser_grid_has_it_off_its_own() -> None:
    """Every second pixel, from the first: the image's centre lies half way between its cells, off by a quarter."""
    plain, wanted = discs(1, (1, 48, 48), 1)[:, :, ::2, ::2], discs(1, (1, 48, 48), 1, degrees=90)[:, :, ::2, ::2]
    assert float((turned(plain, 90, (11.75, 11.75)) - wanted).norm() / wanted.norm()) < 1e-2
    assert float((turned(plain, 90, (11.5, 11.5)) - wanted).norm() / wanted.norm()) > 0.1


def test_noise_has_the_spectrum_that_is_said() -> None:
    made = noise(64, (1, 32, 32), 0)
    power = torch.fft.fft2(made.double()).abs().square().mean((0, 1))
    assert float(power[0, 2] / power[0, 8]) == pytest.approx(16, rel=0.5)
    assert made.std((1, 2, 3)).tolist() == pytest.approx([1.0] * 64)
