import math

import pytest
import torch

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.inside.filters.bank import against_null, bank
from cnnlab.inside.filters.families import FAMILIES
from cnnlab.inside.filters.layer import (
    colour_patterns,
    colour_shares,
    filter_grid,
    frequencies,
    frequency_response,
    pass_bands,
    random_filters,
)
from cnnlab.inside.filters.measure import MeasuredFilter, adjusted, kind_of, measure, winner
from cnnlab.models.filters import convolution_filters

SIZE = 7
ROWS, COLUMNS = torch.meshgrid(torch.arange(7.0) - 3, torch.arange(7.0) - 3, indexing="ij")
ENVELOPE = torch.exp(-(ROWS**2 + COLUMNS**2) / 8)
BLOB = torch.exp(-(ROWS**2 + COLUMNS**2) / 5)
EDGE = COLUMNS * ENVELOPE
GRATING = torch.cos(2 * math.pi * COLUMNS / 3) * ENVELOPE
GREY, RED_GREEN, BLUE_YELLOW = torch.tensor([[1.0, 1, 1], [1, -1, 0], [-1, -1, 2]])


def one(pattern: torch.Tensor, colour: torch.Tensor | None = None) -> MeasuredFilter:
    colour = torch.ones(1) if colour is None else colour
    (measured,) = measure((colour[:, None, None] * pattern)[None])
    return measured


@pytest.mark.parametrize(
    ("pattern", "kind", "orientation"),
    [
        (EDGE, "edge", 90),
        (EDGE.T, "edge", 0),
        ((COLUMNS + ROWS) * ENVELOPE, "edge", 45),  # light at the lower right: the edge rises to the right
        ((COLUMNS - ROWS) * ENVELOPE, "edge", 135),
        (GRATING, "grating", 90),
        (GRATING.T, "grating", 0),
        (BLOB, "blob", None),
        (-BLOB, "blob", None),
        (BLOB - 0.5 * torch.exp(-(ROWS**2 + COLUMNS**2) / 12), "blob", None),
        (torch.ones(7, 7), "blob", None),
        ((ROWS == 0) * (COLUMNS == 0) * 1.0, "blob", None),
        (torch.randn(7, 7, generator=torch.Generator().manual_seed(0)), "other", None),
        (torch.zeros(7, 7), "other", None),
    ],
)
def test_kinds_of_synthetic_filters(pattern: torch.Tensor, kind: str, orientation: float | None) -> None:
    for colour in (None, GREY):
        measured = one(pattern, colour)
        assert measured.kind == measured.form == kind
        if orientation is None:
            assert measured.orientation is None
        else:
            assert measured.orientation is not None
            assert abs((measured.orientation - orientation + 90) % 180 - 90) < 2


def test_the_textbook_sobel_is_an_edge_and_nothing_else_explains_it_as_simply() -> None:
    sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    measured = one(sobel)
    assert (measured.family, measured.kind, measured.orientation) == ("sobel", "edge", pytest.approx(90))
    assert measured.explained["sobel"] == pytest.approx(1)
    assert measured.explained["prewitt"] == pytest.approx(8 / 9)  # squared cosine: 8²/(12·6)
    assert measured.explained["laplacian"] == pytest.approx(0, abs=1e-12)
    laplacian = one(torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]))
    assert (laplacian.family, laplacian.kind) == ("laplacian", "blob")


@pytest.mark.parametrize(("colour", "axis"), [(RED_GREEN, "red-green"), (BLUE_YELLOW, "blue-yellow")])
def test_colour_opponent_filters(colour: torch.Tensor, axis: str) -> None:
    for pattern, form in ((BLOB, "blob"), (EDGE, "edge")):
        measured = one(pattern, colour)
        assert (measured.kind, measured.form) == ("colour-opponent", form)
        assert measured.colour is not None
        assert (measured.colour.nearest, measured.colour.chroma) == (axis, pytest.approx(1))
    grey = one(BLOB, GREY)
    assert grey.colour is not None
    assert (grey.colour.nearest, grey.colour.luminance) == ("luminance", pytest.approx(1))


def test_a_filter_of_two_colours_is_not_called_one() -> None:
    two = RED_GREEN[:, None, None] * EDGE + BLUE_YELLOW[:, None, None] * EDGE.T * math.sqrt(2 / 6)
    (measured,) = measure(two[None])
    assert measured.component_share == pytest.approx(0.5, abs=0.01)
    assert measured.kind != "colour-opponent"


def test_one_colour_times_one_pattern_is_found_again() -> None:
    generator = torch.Generator().manual_seed(1)
    colours, planes = torch.randn(6, 4, generator=generator), torch.randn(6, 5, 5, generator=generator)
    found = colour_patterns(colours[:, :, None, None] * planes[:, None])
    torch.testing.assert_close(found.shares, torch.ones(6).double())
    rebuilt = found.colours[:, :, None, None] * found.patterns[:, None]
    torch.testing.assert_close(rebuilt, (colours[:, :, None, None] * planes[:, None]).double())
    assert bool((found.colours.gather(1, found.colours.abs().argmax(1, keepdim=True)) > 0).all())


def test_the_first_component_is_the_best_single_one() -> None:
    """No colour of unit length leaves a smaller rest: shares against random colours."""
    weights = random_filters((3, 4, 4), count=5, seed=2).double()
    found = colour_patterns(weights)
    flat = weights.flatten(2)
    for colour in torch.nn.functional.normalize(
        torch.randn(500, 3, generator=torch.Generator().manual_seed(0)).double()
    ):
        share = ((colour @ flat) ** 2).sum(1) / (flat**2).sum((1, 2))
        assert bool((share <= found.shares + 1e-12).all())


def test_one_channel_keeps_its_sign() -> None:
    weights = -torch.rand(3, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(colour_patterns(weights).patterns, weights[:, 0].double())


def test_shares_of_the_axes_sum_to_one() -> None:
    weights = random_filters((3, 5, 5), count=400, seed=3)
    found = colour_patterns(weights)
    shares = [colour_shares(w, c) for w, c in zip(weights.double(), found.colours, strict=True)]
    for share in shares:
        assert share.luminance + share.chroma == pytest.approx(1)
    assert sum(s.chroma for s in shares) / 400 == pytest.approx(2 / 3, abs=0.01)


def test_pass_bands() -> None:
    low = torch.ones(3, 3).double() / 9
    high = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]).double()
    edge = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]).double()
    impulse = torch.zeros(3, 3).double()
    impulse[1, 1] = 1
    bands = pass_bands(torch.stack([low, high, edge, impulse, torch.zeros(3, 3).double()]))
    assert [b.band for b in bands] == ["low-pass", "high-pass", "band-pass", "all-pass", "all-pass"]
    assert (bands[0].zero_gain, bands[0].peak) == (pytest.approx(1), 0)
    assert (bands[1].peak, bands[1].peak_gain) == (pytest.approx(math.sqrt(0.5)), pytest.approx(8))
    # |−1 + e^{…}| of (−1, 0, 1) is 2·|sin 2πf|, largest at ¼; the smoothing gives 4 at zero
    assert (bands[2].peak, bands[2].peak_gain) == (pytest.approx(0.25), pytest.approx(8))
    assert bands[2].peak_direction == pytest.approx(0)


def test_the_peak_of_a_grating_is_its_frequency_across_its_stripes() -> None:
    (band,) = pass_bands(((torch.cos(2 * math.pi * (COLUMNS - ROWS) / 4)) * ENVELOPE)[None].double())
    assert band.peak == pytest.approx(math.sqrt(2) / 4, abs=0.03)
    assert band.peak_direction == pytest.approx(45, abs=3)  # light runs to the upper right


def test_the_response_is_the_sum_over_waves() -> None:
    pattern = random_filters((1, 3, 5), count=1, seed=0)[0].double()
    response, axis = frequency_response(pattern, size=16)[0], frequencies(16)
    rows, columns = torch.arange(3).double()[:, None], torch.arange(5).double()
    for i, j in ((0, 0), (3, 9), (8, 8), (15, 2)):
        wave = torch.exp(-2j * math.pi * (axis[i] * rows + axis[j] * columns))
        assert float(response[i, j]) == pytest.approx(float((pattern[0] * wave).sum().abs()))
    with pytest.raises(ValueError, match="response of 4 samples"):
        frequency_response(pattern, size=4)


def test_adjustment_pays_for_parameters() -> None:
    assert adjusted(0.5, numbers=9, parameters=0) == 0.5
    assert adjusted(0.0, numbers=49, parameters=8) < 0
    assert adjusted(1.0, numbers=9, parameters=9) == -math.inf
    explained = dict.fromkeys(FAMILIES, 0.9)
    assert winner(explained, numbers=49)[0] == "constant"
    assert winner(explained | {"gabor": 0.95}, numbers=49)[0] == "gabor"
    assert winner(explained | {"gabor": 0.95}, numbers=9)[0] == "constant"
    assert kind_of("edge", 1.0, None) == "edge"


def test_a_bank_and_its_null() -> None:
    """Gabor functions of 7×7 are above random filters; random ones are not above other random ones."""
    angles = torch.arange(12) * math.pi / 12
    u = COLUMNS * angles.cos()[:, None, None] - ROWS * angles.sin()[:, None, None]
    gabors = (torch.cos(2 * math.pi * u / 3.5 + 0.3) * ENVELOPE)[:, None]
    noise = torch.randn(gabors.shape, generator=torch.Generator().manual_seed(0))
    ours = list(measure(gabors + 0.05 * noise))
    null = list(measure(random_filters((1, SIZE, SIZE), count=20, seed=1)))
    others = list(measure(random_filters((1, SIZE, SIZE), count=20, seed=2)))

    facts = bank(ours)
    assert facts.kinds == {"edge": 0, "grating": 12, "blob": 0, "colour-opponent": 0, "other": 0}
    assert sum(facts.orientations) == 12
    assert max(facts.orientations) <= 2  # 15° apart, bins of 22.5°
    assert facts.explained["gabor"] > 0.9
    assert facts.energy_explained["gabor"] == pytest.approx(facts.explained["gabor"], abs=0.02)
    assert (facts.chroma, facts.axes, facts.component_share) == (None, None, pytest.approx(1))

    rows = {row.family: row for row in against_null(ours, null, seed=0)}
    assert tuple(rows) == FAMILIES
    assert rows["gabor"].rediscovered
    assert rows["gabor"].above == 1
    assert rows["gabor"].interval.low < rows["gabor"].difference < rows["gabor"].interval.high
    assert not any(row.rediscovered for row in against_null(others, null, seed=0))
    assert against_null(ours, null, seed=3) == against_null(ours, null, seed=3)


def test_random_3x3_filters_are_fitted_well_by_a_gabor_function() -> None:
    """The null line: 8 numbers of 9 are free, so that R² says nothing."""
    null = list(measure(random_filters((1, 3, 3), count=25, seed=0)))
    facts = bank(null)
    assert facts.explained["gabor"] > 0.75
    # of a random filter a projection on q of 9 dimensions explains q/9
    assert facts.explained["constant"] == pytest.approx(1 / 9, abs=0.08)
    assert facts.explained["sobel"] == pytest.approx(2 / 9, abs=0.1)


def test_random_filters_have_the_projection_s_mean() -> None:
    filters = list(measure(random_filters((1, 5, 5), count=40, seed=4), starts=1))
    assert bank(filters).explained["sobel"] == pytest.approx(2 / 25, abs=0.03)


def test_what_cannot_be_measured() -> None:
    with pytest.raises(RequestError, match="filters are 1×1"):
        next(measure(torch.randn(2, 3, 1, 1)))
    with pytest.raises(WorkError, match="filter 1 has weights that are NaN"):
        next(measure(torch.tensor([0.0, math.nan])[:, None, None, None].expand(2, 1, 3, 3)))
    with pytest.raises(ValueError, match="no filters"):
        bank([])
    with pytest.raises(ValueError, match="0 of the null"):
        against_null([one(BLOB)], [], seed=0)


def test_the_grid_is_the_chapter_s() -> None:
    weights = random_filters((3, 3, 3), count=4, seed=0)
    grid = filter_grid(weights)
    for i in range(4):
        low, high = weights[i].min(), weights[i].max()
        torch.testing.assert_close(grid[i], (weights[i] - low) / (high - low + 1e-8))
    torch.testing.assert_close(filter_grid(torch.full((1, 1, 3, 3), 5.0)), torch.zeros(1, 1, 3, 3))


def test_the_first_convolution_or_a_named_one() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 5))
    name, weights = convolution_filters(network)
    assert (name, weights.shape) == ("0", (4, 3, 3, 3))
    weights.zero_()
    assert float(network[0].weight.detach().abs().sum()) > 0
    assert convolution_filters(network, "2")[1].shape == (2, 4, 5, 5)
    assert [convolution_filters(network, smallest=side)[0] for side in (3, 4, 6)] == ["0", "2", "0"]
    with pytest.raises(RequestError, match="no convolution '1'; known: 0, 2"):
        convolution_filters(network, "1")
    with pytest.raises(RequestError, match="no convolution"):
        convolution_filters(torch.nn.Linear(2, 2))
