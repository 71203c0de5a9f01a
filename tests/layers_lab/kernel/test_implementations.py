"""Four ways, one result: against scipy's correlation, for any size of image and kernel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d

from cnnlab.layers_lab.kernel.borders import at_the_borders
from cnnlab.layers_lab.kernel.claims import claims_of
from cnnlab.layers_lab.kernel.direction import both_directions
from cnnlab.layers_lab.kernel.implementations import WAYS
from cnnlab.layers_lab.kernel.timing import UNFOLDED, cropped, timed


@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    counts=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 2)),
)
@settings(deadline=None, max_examples=25)
def test_all_are_scipys_correlation(
    size: tuple[int, int], kernel: tuple[int, int], counts: tuple[int, int, int]
) -> None:
    if kernel[0] > size[0] or kernel[1] > size[1]:
        return
    images = torch.randn(counts[0], counts[1], *size, dtype=torch.float64)
    filters = torch.randn(counts[2], counts[1], *kernel, dtype=torch.float64)
    expected = [
        [sum(correlate2d(x, w, mode="valid") for x, w in zip(image, one, strict=True)) for one in filters.numpy()]
        for image in images.numpy()
    ]
    for name, way in WAYS.items():
        assert way(images, filters).numpy() == pytest.approx(np.array(expected), abs=1e-10), name


def test_ways_agree_on_an_output_that_is_nothing() -> None:
    """The FFT's rounding errors are no disagreement, and the times of a small image none of the claim's."""
    image, kernel = torch.full((1, 20, 20), 0.5), torch.tensor([[[1.0, 0.0, -1.0]] * 3])
    *_, (crop, whole) = timed(image, kernel)
    assert crop.agree
    assert whole.agree
    claims = claims_of(both_directions(image, kernel, "valid"), at_the_borders(image, kernel), crop, whole)
    assert [claim.finding.value for claim in claims[2:]] == ["supported", "too small to tell"]


def test_a_wrong_way_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolution in place of correlation: the measure of agreement sees it."""
    wrong = {"FFT": lambda x, w: WAYS["torch"](x, w.flip(2, 3))}
    monkeypatch.setattr("cnnlab.layers_lab.kernel.timing.WAYS", {**WAYS, **wrong})
    image, kernel = torch.rand(1, 20, 20), torch.tensor([[[1.0, 2.0, 3.0]]])
    *_, (crop, whole) = timed(image, kernel)
    assert not crop.agree
    claims = claims_of(both_directions(image, kernel, "zero"), at_the_borders(image, kernel), crop, whole)
    assert [claim.finding.value for claim in claims][:3] == ["supported", "supported", "contradicted"]
    assert [way.way for way in whole.ways if way.difference > 0.1] == ["FFT"]


@pytest.mark.parametrize(("size", "kernel"), [((2000, 30), (3, 3)), ((30, 2000), (29, 5)), ((9, 9), (9, 9))])
def test_a_crop_is_of_the_middle_and_small_enough(size: tuple[int, int], kernel: tuple[int, int]) -> None:
    image = torch.arange(size[0] * size[1], dtype=torch.float32).reshape(1, *size)
    weights = torch.ones(1, *kernel)
    crop = cropped(image, weights, 500)
    outputs = (crop.shape[1] - kernel[0] + 1) * (crop.shape[2] - kernel[1] + 1)
    assert 0 < outputs <= 500
    assert outputs > 200 or crop.shape[1:] == image.shape[1:]
    assert abs(float(crop.mean()) - float(image.mean())) <= size[1]
    assert cropped(image, weights, UNFOLDED).shape == image.shape
