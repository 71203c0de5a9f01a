import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.attribution.measures.location import (
    border_region,
    corner_region,
    energy_inside,
    peaks,
    pointing_hits,
    tolerance_pixels,
)


def test_the_frame_is_an_eighth_and_the_corners_a_quarter() -> None:
    border, corner = border_region(32, 16), corner_region(32, 16)
    assert (border[:4].all(), border[:, :2].all(), border[4:28, 2:14].any()) == (True, True, False)
    assert float(border.double().mean()) == 1 - 0.75**2
    assert (corner[:8, :4].all(), corner[24:, 12:].all(), corner[8:24].any(), corner[:, 4:12].any()) == (
        True,
        True,
        False,
        False,
    )
    assert float(corner.double().mean()) == 0.25
    # both are the same seen from each side
    for region in (border, corner):
        assert torch.equal(region, region.flip(0))
        assert torch.equal(region, region.flip(1))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12))
def test_of_a_uniform_map_the_energy_is_the_share_of_the_area(seed: int, height: int, width: int) -> None:
    mask = torch.rand(2, height, width, generator=torch.Generator().manual_seed(seed)) < 0.4
    uniform = torch.full((2, height, width), 0.3)
    torch.testing.assert_close(energy_inside(uniform, mask), mask.double().mean((1, 2)), rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.floats(1e-30, 1e30))
def test_energy_inside_and_outside_sum_to_one_at_any_scale(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps, mask = torch.randn(3, 6, 7, generator=generator), torch.rand(3, 6, 7, generator=generator) < 0.5
    inside = energy_inside(maps * scale, mask)
    torch.testing.assert_close(inside + energy_inside(maps * scale, ~mask), torch.ones(3).double())
    torch.testing.assert_close(inside, energy_inside(maps, mask), rtol=1e-5, atol=1e-7)
    expected = [(m.clamp(min=0) * k).sum() / m.clamp(min=0).sum() for m, k in zip(maps, mask, strict=True)]
    torch.testing.assert_close(inside.float(), torch.stack(expected), rtol=1e-5, atol=1e-6)


def test_maps_without_evidence_have_no_energy_anywhere() -> None:
    maps = torch.stack([torch.zeros(4, 4), -torch.ones(4, 4)])
    assert energy_inside(maps, torch.ones(4, 4, dtype=torch.bool)).tolist() == [0, 0]


def test_peaks() -> None:
    maps = torch.zeros(2, 5, 7)
    maps[0, 3, 6] = 1
    maps[1] = -1
    maps[1, 0, 2] = -0.5
    assert peaks(maps, seed=0).tolist() == [[3, 6], [0, 2]]
    flat = peaks(torch.zeros(500, 2, 2), seed=0)
    assert len(flat.unique(dim=0)) == 4
    assert torch.equal(flat, peaks(torch.zeros(500, 2, 2), seed=0))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.floats(0, 6))
def test_pointing_is_the_distance_from_the_peak_to_the_object(seed: int, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps, masks = torch.rand(4, 6, 7, generator=generator), torch.rand(4, 6, 7, generator=generator) < 0.1
    masks[:, seed % 6, seed % 7] = True
    found = pointing_hits(maps, masks, seed=0, tolerance=tolerance)
    for one, mask, hit in zip(maps, masks, found.tolist(), strict=True):
        y, x = divmod(int(one.argmax()), 7)
        distances = [((y - v) ** 2 + (x - u) ** 2) ** 0.5 for v, u in mask.nonzero().tolist()]
        assert hit == (min(distances) <= tolerance)


def test_the_tolerance_is_scaled_to_the_image() -> None:
    assert tolerance_pixels(224, 300) == 15
    assert tolerance_pixels(32, 32) == pytest.approx(2.14, abs=0.01)
    maps, masks = torch.zeros(1, 32, 32), torch.zeros(1, 32, 32, dtype=torch.bool)
    maps[0, 10, 10] = 1
    masks[0, 10, 12] = True
    assert pointing_hits(maps, masks, seed=0).tolist() == [True]
    assert pointing_hits(maps, masks.roll(1, 2), seed=0).tolist() == [False]
    assert pointing_hits(maps, masks, seed=0, tolerance=0.0).tolist() == [False]


def test_a_flat_map_points_nowhere() -> None:
    everywhere = torch.ones(1, 4, 4, dtype=torch.bool)
    assert pointing_hits(torch.zeros(1, 4, 4), everywhere, seed=0).tolist() == [False]


def test_what_cannot_be_hit() -> None:
    masks = torch.ones(2, 4, 4, dtype=torch.bool)
    masks[1] = False
    with pytest.raises(ValueError, match="mask 1 has no object pixel"):
        pointing_hits(torch.zeros(2, 4, 4), masks, seed=0)
    with pytest.raises(ValueError, match="tolerance is -1"):
        pointing_hits(torch.zeros(1, 4, 4), masks[:1], seed=0, tolerance=-1.0)
