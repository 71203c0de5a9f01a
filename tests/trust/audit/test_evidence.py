import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.trust.audit.evidence import (
    ImageEvidence,
    evidence_by_group,
    locate,
    most_suspicious,
    summarize_evidence,
)
from cnnlab.trust.audit.run import coarse_notes

SIZE = (16, 16)


def spot(y: int, x: int, side: int = 2) -> Tensor:
    """Evidence in one square alone."""
    one = torch.zeros(SIZE)
    one[y : y + side, x : x + side] = 1
    return one


def mask(y: int, x: int, side: int = 6) -> Tensor:
    return spot(y, x, side) > 0


NONE = torch.zeros(SIZE, dtype=torch.bool)
MAPS = torch.stack([spot(7, 7), spot(0, 7), spot(0, 0), torch.full(SIZE, 0.2), -torch.ones(SIZE)])


def test_images_without_masks() -> None:
    middle, edge, corner, uniform, nothing = locate(MAPS, size=SIZE)
    assert (middle.border, middle.corner, middle.suspicion, middle.inside, middle.area) == (0, 0, 0, None, None)
    assert middle.peak in {(7, 7), (7, 8), (8, 7), (8, 8)}
    assert (edge.border, edge.corner, edge.suspicion) == (1, 0, 1)
    assert (corner.border, corner.corner, corner.suspicion) == (1, 1, 1)
    assert uniform.border == pytest.approx(1 - 0.75**2)
    assert (uniform.corner, uniform.top) == (pytest.approx(0.25), pytest.approx(26 / 256))
    assert uniform.gini == pytest.approx(0, abs=1e-12)
    assert uniform.suspicion == pytest.approx(0, abs=1e-12)
    assert (nothing.evident, nothing.border, nothing.suspicion) == (False, 0, 0)
    assert middle.evident


def test_an_object_says_where_evidence_belongs() -> None:
    """At the border lies the object itself: the frame is no reason for suspicion where it is covered."""
    masks = torch.stack([mask(0, 5), mask(0, 5), NONE])
    on_it, off_it, unknown = locate(torch.stack([spot(0, 7), spot(9, 9), spot(0, 7)]), size=SIZE, masks=masks)
    assert (on_it.inside, on_it.border, on_it.suspicion) == (1, 1, 0)
    assert (off_it.inside, off_it.border, off_it.suspicion) == (0, 0, 1)
    assert on_it.area == pytest.approx(36 / 256)
    assert (unknown.inside, unknown.area, unknown.suspicion) == (None, None, 1)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_suspicion_is_a_share_and_grows_with_what_lies_outside(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(4, 8, 8, generator=generator)
    masks = torch.rand(4, 16, 16, generator=generator) < 0.3
    plain = locate(maps, size=SIZE, masks=masks)
    assert all(0 <= one.suspicion <= 1 for one in plain)
    for one in plain:
        assert one.inside is not None
        assert one.area is not None
        assert one.suspicion >= 1 - one.inside / one.area - 1e-9
    # twice the evidence outside, the same inside
    enlarged = torch.nn.functional.interpolate(maps[:, None], size=SIZE, mode="bilinear")[:, 0]
    moved = locate(torch.where(masks, enlarged, 2 * enlarged), size=SIZE, masks=masks)
    for before, after in zip(plain, moved, strict=True):
        assert before.inside is not None
        assert after.inside is not None
        assert after.inside <= before.inside + 1e-9


def test_the_scale_of_maps_does_not_count() -> None:
    maps = torch.randn(5, *SIZE, generator=torch.Generator().manual_seed(0))
    for one, other in zip(locate(maps, size=SIZE), locate(1e-3 * maps, size=SIZE), strict=True):
        assert (one.peak, one.index) == (other.peak, other.index)
        assert one.suspicion == pytest.approx(other.suspicion, abs=1e-6)


def test_the_most_suspicious_first() -> None:
    images = locate(MAPS, size=SIZE)
    assert [one.index for one in most_suspicious(images)] == [1, 2, 0, 3]
    assert [one.index for one in most_suspicious(images, count=1)] == [1]


def image(index: int, border: float, inside: float | None, *, evident: bool = True) -> ImageEvidence:
    return ImageEvidence(index, evident, inside, None, border, 0.0, (0, 0), 0.5, 0.5, border)


def test_means_leave_out_what_has_no_evidence() -> None:
    images = [image(0, 0.2, 0.8), image(1, 0.4, None), image(2, 0.0, 0.0, evident=False)]
    found = summarize_evidence(images, seed=0)
    assert (found.name, found.n, found.empty) == ("all", 3, 1)
    assert found.border is not None
    assert found.border.interval is not None
    assert (found.border.mean, found.border.n) == (pytest.approx(0.3), 2)
    assert 0.2 <= found.border.interval.low < found.border.interval.high <= 0.4
    assert found.inside is not None
    assert (found.inside.mean, found.inside.n, found.inside.interval) == (0.8, 1, None)
    nothing = summarize_evidence(images[2:], seed=0)
    assert (nothing.border, nothing.inside, nothing.suspicion, nothing.empty) == (None, None, None, 1)


def test_groups_the_most_suspicious_first() -> None:
    images = [
        image(0, 0.1, None),
        image(1, 0.9, None),
        image(2, 0.3, None),
        image(3, 0.0, None, evident=False),
        image(4, 0.7, None),
    ]
    found = evidence_by_group(images, ["a", "b", "a", "c", "b"], seed=0)
    assert [(one.name, one.n, one.empty) for one in found] == [("b", 2, 0), ("a", 2, 0), ("c", 1, 1)]
    assert found[0].suspicion is not None
    assert found[0].suspicion.mean == pytest.approx(0.8)
    with pytest.raises(ValueError, match="zip"):
        evidence_by_group(images, ["a"], seed=0)


def test_what_does_not_fit() -> None:
    with pytest.raises(RequestError, match=r"masks of shape \(5, 8, 8\); expected one per map, \(5, 16, 16\)"):
        locate(MAPS, size=SIZE, masks=torch.ones(5, 8, 8, dtype=torch.bool))
    with pytest.raises(WorkError, match="NaN"):
        locate(MAPS * float("nan"), size=SIZE)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ((16, 32), None),
        ((4, 8), "a cell of these 4 × 8 maps is 4 px high, and the outer frame 2 px"),
        ((16, 4), "a cell of these 16 × 4 maps is 16 px wide, and the outer frame 8 px"),
        ((4, 32), "a cell of these 4 × 32 maps is 4 px high, and the outer frame 2 px"),
    ],
)
def test_cells_wider_than_the_frame_on_either_axis_are_said(grid: tuple[int, int], words: str | None) -> None:
    """Of images of 16 × 64 px, whose frame is 2 px above and below and 8 px at the sides."""
    notes = coarse_notes(grid, (16, 64))
    assert notes == [] if words is None else notes[0].startswith(words)
