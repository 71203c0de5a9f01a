import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cnnlab.receptive_field.effective.mass import CURVE, area_scores, holdings, value_at
from cnnlab.receptive_field.effective.measures import THRESHOLD, Extent, extent, fit_gaussian, measure


def bell(size: int, long: float, short: float, degrees: float, centre: tuple[float, float] | None = None) -> Tensor:
    """A Gaussian whose long axis stands `degrees` counter-clockwise from the horizontal."""
    row, column = centre or ((size - 1) / 2, (size - 1) / 2)
    up = row - torch.arange(size, dtype=torch.float64)[:, None]
    right = torch.arange(size, dtype=torch.float64)[None, :] - column
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.exp(-(((right * cos + up * sin) / long) ** 2 + ((up * cos - right * sin) / short) ** 2) / 2)


def drawn(seed: int, height: int, width: int) -> Tensor:
    """Values of many sizes, a third of them 0."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(height, width, generator=generator, dtype=torch.float64).exp()
    return values * (torch.rand(height, width, generator=generator) > 0.33)


@settings(deadline=None, max_examples=40)
@given(st.floats(3, 8), st.floats(0.4, 0.9), st.floats(-89, 90), st.floats(-3, 3), st.floats(-3, 3), st.floats(0.01, 9))
def test_a_gaussian_is_recovered(
    long: float, ratio: float, degrees: float, down: float, right: float, height: float
) -> None:
    fit = fit_gaussian(height * bell(121, long, long * ratio, degrees, (60 + down, 60 + right)))
    assert fit.centre == pytest.approx((60 + down, 60 + right), abs=1e-6)
    assert (fit.sigma_long, fit.sigma_short) == pytest.approx((long, long * ratio), rel=1e-6)
    assert fit.orientation is not None
    assert abs((fit.orientation - degrees + 90) % 180 - 90) < 1e-3
    assert -90 < fit.orientation <= 90
    assert fit.r_squared == pytest.approx(1, abs=1e-9)
    cos2, sin2 = math.cos(math.radians(degrees)) ** 2, math.sin(math.radians(degrees)) ** 2
    assert fit.sigma_w == pytest.approx(long * math.sqrt(cos2 + ratio**2 * sin2), rel=1e-6)
    assert fit.sigma_h == pytest.approx(long * math.sqrt(sin2 + ratio**2 * cos2), rel=1e-6)


@pytest.mark.parametrize(("shape", "orientation"), [((1, 9), 0.0), ((9, 1), 90.0)])
def test_a_line_has_a_direction_and_no_fit(shape: tuple[int, int], orientation: float) -> None:
    fit = fit_gaussian(torch.ones(shape, dtype=torch.float64))
    assert fit.orientation == pytest.approx(orientation)
    assert (fit.sigma_long, fit.sigma_short, fit.r_squared) == (pytest.approx(math.sqrt(80 / 12)), 0, None)


def test_diagonals_lean_as_they_look() -> None:
    falling = fit_gaussian(torch.eye(5, dtype=torch.float64))
    assert (falling.orientation, falling.covariance) == (pytest.approx(-45), pytest.approx(2))
    assert fit_gaussian(torch.eye(5, dtype=torch.float64).flip(0)).orientation == pytest.approx(45)


def test_what_is_no_gaussian_has_a_low_r_squared() -> None:
    """A ring has nothing where its Gaussian is highest."""
    row = torch.arange(61, dtype=torch.float64) - 30
    radius = (row[:, None] ** 2 + row[None, :] ** 2).sqrt()
    fit = fit_gaussian(torch.exp(-((radius - 20) ** 2) / 2))
    assert fit.orientation is None
    assert fit.r_squared is not None
    assert fit.r_squared < 0.3


@settings(deadline=None, max_examples=30)
@given(st.floats(8, 14), st.floats(0.5, 1), st.floats(-90, 90))
def test_the_side_of_a_gaussian_is_4_406_sigma(long: float, ratio: float, degrees: float) -> None:
    map_ = bell(121, long, long * ratio, degrees)
    found = extent(map_)
    assert found is not None
    assert found.side == pytest.approx(4.406 * long * math.sqrt(ratio), rel=0.02)
    assert not found.reaches_border
    assert found.pixels == sum(value > 0.0455 * float(map_[60, 60]) for row in map_.tolist() for value in row)


def test_the_threshold_is_what_lies_beyond_two_sigma() -> None:
    assert pytest.approx(1 - math.erf(math.sqrt(2)), abs=1e-5) == THRESHOLD


def test_the_centre_is_what_pixels_are_compared_with() -> None:
    map_ = torch.tensor([[0.0, 0.0, 0.0], [0.4, 1.0, 10.0], [0.0, 0.04, 0.0]], dtype=torch.float64)
    assert extent(map_) == Extent(3, math.sqrt(3), (1, 3), True)
    assert extent(map_, centre=(0.0, 0.0)) is None
    nothing = measure(map_, centre=(0.0, 0.0), theoretical=(3, 3))
    assert (nothing.extent, nothing.ratio) == (None, None)


def test_a_centre_between_pixels_is_their_mean() -> None:
    map_ = torch.arange(16, dtype=torch.float64).reshape(4, 4)
    assert value_at(map_) == 7.5
    assert value_at(map_, (0.0, 1.5)) == 1.5
    assert value_at(map_, (2.1, 0.9)) == 9.0
    with pytest.raises(ValueError, match=r"centre \(4, 0\) lies outside a map of 4×4"):
        value_at(map_, (4.0, 0.0))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(2, 9), st.booleans(), st.floats(0.01, 1))
def test_holdings_are_brute_force(seed: int, height: int, width: int, between: bool, share: float) -> None:
    map_ = drawn(seed, height, width)
    map_[height // 2, width // 2] += 1
    centre = (height // 2 - (0.5 if between else 0.0), width // 2 - (0.5 if between else 0.0))
    (found,) = holdings(map_, shares=[share], centre=centre)
    values, total = map_.tolist(), float(map_.sum())

    def inside(side: float) -> float:
        half = (side - 1) / 2
        return sum(
            value
            for row, line in enumerate(values)
            for column, value in enumerate(line)
            if abs(row - centre[0]) <= half and abs(column - centre[1]) <= half
        )

    sides = range(2 if between else 1, 2 * max(height, width) + 2, 2)
    assert found.square == next(side for side in sides if inside(side) >= share * total * (1 - 1e-9))
    ordered = sorted((value for line in values for value in line), reverse=True)
    counts = range(1, height * width + 1)
    assert found.pixels == next(k for k in counts if sum(ordered[:k]) >= share * total * (1 - 1e-9))
    assert found.level == ordered[found.pixels - 1]
    assert float(map_[map_ >= found.level].sum()) >= share * total * (1 - 1e-9)


def test_shares_that_are_met_exactly_are_met() -> None:
    """100 pixels of 0.01, whose sums miss 0.5 and 0.9 by rounding."""
    flat = torch.full((10, 10), 0.01, dtype=torch.float64)
    assert [(held.pixels, held.square) for held in holdings(flat)] == [(50, 8), (90, 10), (95, 10)]
    curve = holdings(flat, shares=CURVE)
    assert [held.pixels for held in curve] == list(range(1, 101))
    assert curve[-1].square == 10


def test_a_gaussians_contours() -> None:
    """Inside height h a round Gaussian has the share 1 − h, on an area of 2πσ² ln(1/h)."""
    for held in holdings(bell(121, 8, 8, 0)):
        assert held.level == pytest.approx(1 - held.share, abs=0.01)
        assert held.pixels == pytest.approx(2 * math.pi * 64 * math.log(1 / (1 - held.share)), rel=0.01)


def published_rectangle(data: Tensor, threshold: float) -> tuple[int, float] | None:
    """The search as published, by its definition: half sides from 1 to H/2 − 1 about (H/2, W/2)."""
    h, w = data.shape
    for half in range(1, h // 2):
        rows, columns = slice(h // 2 - half, h // 2 + half + 1), slice(w // 2 - half, w // 2 + half + 1)
        if float(data[rows, columns].sum() / data.sum()) > threshold:
            return 2 * half + 1, (2 * half + 1) ** 2 / (h * w)
    return None


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(10, 24), st.floats(0.1, 1000))
def test_area_scores_are_the_published_search(seed: int, size: int, scale: float) -> None:
    map_ = scale * (bell(size, size / 5, size / 6, 20) + 0.02 * drawn(seed, size, size))
    compressed = torch.log10(map_ + 1)
    for kind, data in (("log", compressed / compressed.max()), ("linear", map_)):
        for score in area_scores(map_, scale=kind):  # type: ignore[arg-type]
            expected = published_rectangle(data, score.share)
            if expected is None:
                assert score.side >= size - 1 - size % 2
            elif score.side > 1:
                assert (score.side, score.area) == (expected[0], pytest.approx(expected[1]))


def test_area_scores_where_the_published_search_finds_nothing() -> None:
    flat = torch.ones(8, 8, dtype=torch.float64)
    assert published_rectangle(flat, 0.99) is None
    *_, whole = area_scores(flat, scale="log")
    assert (whole.share, whole.side, whole.area) == (0.99, 8, 1.0)
    point = torch.zeros(8, 8, dtype=torch.float64)
    point[4, 4] = 1
    assert {(score.side, score.area) for score in area_scores(point, scale="linear")} == {(1, 1 / 64)}
    wide = area_scores(torch.ones(3, 9, dtype=torch.float64), scale="linear", shares=[0.5])[0]
    assert (wide.side, wide.area) == (5, 15 / 27)


def test_an_area_holds_more_than_its_share() -> None:
    """The middle pixel holds exactly half."""
    map_ = torch.full((3, 3), 0.125, dtype=torch.float64)
    map_[1, 1] = 1
    sides = [score.side for score in area_scores(map_, scale="linear", shares=[0.49, 0.5])]
    assert sides == [1, 3]


def test_only_the_log_scale_depends_on_the_size_of_the_gradients() -> None:
    map_ = bell(41, 5, 5, 0)
    assert area_scores(map_, scale="linear") == area_scores(100 * map_, scale="linear")
    log, larger = area_scores(map_, scale="log"), area_scores(100 * map_, scale="log")
    assert all(b.side >= a.side for a, b in zip(log, larger, strict=True))
    assert larger[-1].side > log[-1].side


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.001, 1000))
def test_no_measure_but_heights_and_the_log_scale_depends_on_the_unit(seed: int, factor: float) -> None:
    map_ = bell(21, 4, 3, 30) + 0.05 * drawn(seed, 21, 21)
    one, other = measure(map_, theoretical=(21, 21)), measure(factor * map_, theoretical=(21, 21))
    assert one.extent == other.extent
    assert one.ratio == other.ratio
    assert one.linear_scores == other.linear_scores
    assert [h.pixels for h in one.curve] == [h.pixels for h in other.curve]
    assert [h.level * factor for h in one.holdings] == pytest.approx([h.level for h in other.holdings])
    assert one.gaussian.sigma_long == pytest.approx(other.gaussian.sigma_long)
    assert one.gaussian.r_squared == pytest.approx(other.gaussian.r_squared)


def test_measures_use_what_they_are_given() -> None:
    map_ = bell(31, 3, 3, 0)
    found = measure(map_, theoretical=(20, 45), input_channels=3)
    assert found.extent is not None
    assert found.ratio == pytest.approx(found.extent.side / 30)
    assert found.log_scores == area_scores(3 * map_, scale="log")
    assert [held.share for held in found.holdings] == [0.5, 0.9, 0.95]
    assert len(found.curve) == 100


@pytest.mark.parametrize(
    ("values", "message"),
    [([[0.0, 0.0]], "0 everywhere"), ([[1.0, -1.0]], "all 0 or more"), ([[1.0, math.inf]], "NaN or infinite")],
)
def test_maps_that_are_none(values: list[list[float]], message: str) -> None:
    map_ = torch.tensor(values, dtype=torch.float64)
    for call in (measure, extent, fit_gaussian, holdings):
        with pytest.raises(ValueError, match=message):
            call(map_)
    with pytest.raises(ValueError, match=message):
        area_scores(map_, scale="log")


def test_shares_and_centres_that_are_none() -> None:
    map_ = torch.ones(4, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match="each is more than 0 and at most 1"):
        holdings(map_, shares=[0.0])
    with pytest.raises(ValueError, match="less than 1"):
        area_scores(map_, scale="log", shares=[1.0])
    with pytest.raises(ValueError, match=r"centre \(4, 0\) lies outside"):
        holdings(map_, centre=(4.0, 0.0))
