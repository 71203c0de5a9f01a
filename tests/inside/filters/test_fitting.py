"""Closed forms: functions of a family are found again, and a projection is numpy's least squares."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from cnnlab.inside.filters.bank import fit_evidence
from cnnlab.inside.filters.families import (
    DIFFERENCE_OF_GAUSSIANS,
    FAMILIES,
    GABOR,
    GAUSSIAN,
    PARAMETERS,
    Gabor,
    fit_gabors,
    templates,
)
from cnnlab.inside.filters.fitting import Fitted, fit, project
from cnnlab.inside.filters.search import Family
from cnnlab.models.kernels import SMOOTHING, coordinates


def gabor(
    size: int, angle: float, *, wavelength: float, phase: float, sigma: float, aspect: float, x0: float, y0: float
) -> np.ndarray:
    """Written out pixel by pixel: rows count downwards, y upwards; the wave runs at `angle` degrees."""
    values = np.empty((size, size))
    for row in range(size):
        for column in range(size):
            x, y = column - (size - 1) / 2 - x0, (size - 1) / 2 - row - y0
            u = x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle))
            v = -x * math.sin(math.radians(angle)) + y * math.cos(math.radians(angle))
            envelope = math.exp(-(u * u + aspect**2 * v * v) / (2 * sigma**2))
            values[row, column] = envelope * math.cos(2 * math.pi * u / wavelength + math.radians(phase))
    return values


def fit_gabor(pattern: np.ndarray) -> Gabor:
    (found,) = fit_gabors(pattern[None])
    return found


def fit_one(family: Family, pattern: np.ndarray) -> Fitted:
    (found,) = fit(family, pattern[None])
    return found


def apart(a: float, b: float, period: float) -> float:
    return abs((a - b + period / 2) % period - period / 2)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    st.floats(0, 179.9),
    st.floats(2.5, 7),
    st.floats(-179, 180),
    st.floats(1, 2.5),
    st.floats(0.4, 1.2),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_a_gabor_function_is_found_again(
    angle: float, wavelength: float, phase: float, sigma: float, aspect: float, x0: float, y0: float
) -> None:
    made = gabor(7, angle, wavelength=wavelength, phase=phase, sigma=sigma, aspect=aspect, x0=x0, y0=y0)
    found = fit_gabor(made)
    assert found.explained > 0.999
    assert apart(found.orientation, angle + 90, 180) < 2


def test_every_parameter_of_a_gabor_function() -> None:
    made = 0.3 * gabor(11, 30, wavelength=4, phase=70, sigma=2, aspect=0.6, x0=0.5, y0=-0.8)
    found = fit_gabor(made)
    assert found.explained > 1 - 1e-9
    expected = (120, 4, 70, 2, 0.6, 0.5, -0.8, 0.3, 2.0)
    measured = (found.orientation, found.wavelength, found.phase, found.sigma, found.aspect, found.x, found.y)
    assert (*measured, found.amplitude, found.cycles) == pytest.approx(expected, abs=1e-3)


def test_the_phase_does_not_depend_on_which_end_the_wave_is_seen_from() -> None:
    """The wave at 200° with phase 60° is the wave at 20° with −60°."""
    shape = {"wavelength": 4.0, "sigma": 1.8, "aspect": 0.7, "x0": 0.0, "y0": 0.0}
    found = fit_gabor(gabor(9, 200, phase=60, **shape))
    assert (found.orientation, found.phase) == (pytest.approx(110, abs=0.01), pytest.approx(-60, abs=0.01))
    np.testing.assert_allclose(gabor(9, 200, phase=60, **shape), gabor(9, 20, phase=-60, **shape), atol=1e-12)


@pytest.mark.parametrize("size", [5, 7, 8])
def test_blobs_are_found_again(size: int) -> None:
    x, y = coordinates(size, size)
    squared = (x - 0.4) ** 2 + (y + 0.3) ** 2
    blob = np.exp(-squared / (2 * 1.3**2))
    found = fit_one(GAUSSIAN, blob.reshape(size, size))
    assert found.explained > 1 - 1e-9
    assert found.shape.tolist() == pytest.approx([0.4, -0.3, 1.3], abs=1e-4)
    surround = blob - 0.4 * np.exp(-squared / (2 * 2.6**2))
    found = fit_one(DIFFERENCE_OF_GAUSSIANS, surround.reshape(size, size))
    assert found.explained > 1 - 1e-6
    assert found.amplitudes[0] > 0 > found.amplitudes[1]


@pytest.mark.parametrize("family", [GAUSSIAN, DIFFERENCE_OF_GAUSSIANS, GABOR], ids=lambda family: family.name)
def test_a_fit_is_no_worse_than_any_of_many_random_members(family) -> None:
    generator = np.random.default_rng(0)
    pattern = generator.normal(size=(5, 5))
    best = fit_one(family, pattern).explained
    lower, upper = family.bounds(5, 5)
    lower, upper = np.maximum(lower, -10), np.minimum(upper, 10)
    for shape in generator.uniform(lower, upper, size=(3000, len(lower))):
        assert project(family.basis(shape, *coordinates(5, 5)), pattern.ravel())[1] <= best + 1e-6


@pytest.mark.parametrize("family", [GAUSSIAN, DIFFERENCE_OF_GAUSSIANS, GABOR], ids=lambda family: family.name)
def test_another_search_goes_nowhere_from_where_ours_ended(family) -> None:
    """scipy's, trust region reflective, with differences of its own for slopes."""
    x, y = coordinates(5, 5)
    bounds = family.bounds(5, 5)
    for pattern in np.random.default_rng(2).normal(size=(6, 5, 5)):
        value = pattern.ravel() / np.linalg.norm(pattern)
        found = fit_one(family, pattern)
        assert bool(((found.shape >= bounds[0]) & (found.shape <= bounds[1])).all())

        def rest(shape: np.ndarray, value: np.ndarray = value) -> np.ndarray:
            basis = family.basis(shape, x, y)
            return value - basis @ project(basis, value)[0]

        np.testing.assert_allclose(rest(found.shape) @ rest(found.shape), 1 - found.explained, atol=1e-9)
        inside = np.clip(found.shape, bounds[0] + 1e-9, bounds[1] - 1e-9)
        assert 1 - 2 * least_squares(rest, inside, bounds=bounds).cost < found.explained + 1e-4


def test_patterns_do_not_know_of_each_other() -> None:
    patterns = np.random.default_rng(3).normal(size=(5, 4, 6))
    together = fit(GABOR, patterns)
    for pattern, found in zip(patterns, together, strict=True):
        assert fit_one(GABOR, pattern).explained == pytest.approx(found.explained, abs=1e-6)


def test_fits_are_the_same_every_time_and_for_any_scale() -> None:
    pattern = np.random.default_rng(1).normal(size=(5, 5))
    first = fit_gabor(pattern)
    assert fit_gabor(pattern) == first
    scaled = fit_gabor(1000 * pattern)
    assert scaled.explained == pytest.approx(first.explained, abs=1e-6)
    assert scaled.amplitude == pytest.approx(1000 * first.amplitude, rel=1e-3)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(3, 9), st.integers(3, 9))
def test_linear_families_are_projections(seed: int, height: int, width: int) -> None:
    """R² of the nearest member: the squared cosine with it, which the rest stands across."""
    pattern = np.random.default_rng(seed).normal(size=height * width)
    for name in ("constant", *SMOOTHING, "laplacian"):
        for basis in templates(name, height, width):
            amplitudes, explained = project(basis, pattern)
            nearest = basis @ amplitudes
            cosine = nearest @ pattern / np.linalg.norm(nearest) / np.linalg.norm(pattern)
            assert explained == pytest.approx(cosine**2, abs=1e-9)
            assert basis.T @ (pattern - nearest) == pytest.approx(0, abs=1e-9)


def test_templates_by_hand() -> None:
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    (basis,) = templates("sobel", 3, 3)
    np.testing.assert_array_equal(basis[:, 0].reshape(3, 3), sobel)
    np.testing.assert_array_equal(basis[:, 1].reshape(3, 3), sobel.T[::-1])
    # the five-tap Sobel: derivative (−1, −2, 0, 2, 1) under the smoothing (1, 4, 6, 4, 1)
    (larger,) = templates("sobel", 5, 5)
    expected = np.outer([1, 4, 6, 4, 1], [-1, -2, 0, 2, 1])
    np.testing.assert_allclose(larger[:, 0].reshape(5, 5) * 16, expected, atol=1e-12)
    for name in ("prewitt", "sobel", "scharr", "laplacian"):
        for size in (3, 4, 7):
            for basis in templates(name, size, size):
                np.testing.assert_allclose(basis.sum(0), 0, atol=1e-12)


def test_a_pattern_of_zeros_is_explained_by_nothing() -> None:
    assert fit_gabor(np.zeros((5, 5))).explained == 0
    assert project(np.ones((9, 1)), np.zeros(9))[1] == 0


def test_r_squared_of_a_gabor_is_no_evidence_at_3x3() -> None:
    small, large = fit_evidence(3, 3), fit_evidence(7, 7)
    assert (small.numbers, small.parameters, small.degrees_of_freedom, small.evidence) == (9, 8, 1, False)
    assert "R² is no evidence" in small.sentence
    assert (large.degrees_of_freedom, large.evidence) == (41, True)
    assert fit_evidence(2, 2).degrees_of_freedom == 0


def test_the_numbers_of_free_parameters_are_those_of_the_fits() -> None:
    for family in (GAUSSIAN, DIFFERENCE_OF_GAUSSIANS, GABOR):
        fitted = fit_one(family, np.random.default_rng(0).normal(size=(4, 4)))
        assert len(fitted.shape) + len(fitted.amplitudes) == PARAMETERS[family.name]
    for name in FAMILIES[:5]:
        assert templates(name, 5, 5)[0].shape[1] == PARAMETERS[name]
