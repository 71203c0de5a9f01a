import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.attribution.maps import at_image_size, positive_scaled
from cnnlab.attribution.measures.curves import block_side, rank_pixels
from cnnlab.core.errors import WorkError


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.floats(0, 1))
def test_any_count_is_exact_whatever_the_ties(seed: int, height: int, width: int, block: int, zeros: float) -> None:
    maps = drawn(seed, 3, height, width)
    maps = maps * (drawn(seed + 1, 3, height, width) >= zeros)
    ranking = rank_pixels(maps, seed=seed, block=block)
    units = -(-height // block) * -(-width // block)
    assert ranking.units == units
    for one in ranking.ranks:
        assert sorted(one.unique().tolist()) == list(range(units))
        # every pixel of a block has the block's place
        for y in range(0, height, block):
            for x in range(0, width, block):
                assert len(one[y : y + block, x : x + block].unique()) == 1


@pytest.mark.parametrize("percentile", [10, 20, 30, 40, 50, 60, 70, 80, 90])
def test_a_map_of_75_percent_zeros_loses_just_the_asked_number(percentile: int) -> None:
    """Where a quantile as threshold takes all pixels, or none, at most of these percentiles."""
    maps = drawn(0, 4, 8, 8)
    maps[:, :, 2:] = 0
    ranking = rank_pixels(maps, seed=0)
    count = round(percentile / 100 * 64)
    first, last = ranking.first(count), ranking.last(count)
    assert first.flatten(1).sum(1).tolist() == last.flatten(1).sum(1).tolist() == [count] * 4
    # whatever the ties: the sixteen that are not zero go first, and last
    assert int((first & (maps > 0)).sum()) == 4 * min(count, 16)
    assert int((last & (maps > 0)).sum()) == 4 * max(0, count - 48)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_values_are_in_order(seed: int) -> None:
    maps = (drawn(seed, 2, 5, 6) * 4).floor() - 2
    ranking = rank_pixels(maps, seed=seed)
    for values, ranks in zip(maps.flatten(1), ranking.ranks.flatten(1), strict=True):
        ordered = values[ranks.argsort()]
        assert bool((ordered[1:] <= ordered[:-1]).all())


def test_blocks_count_by_their_mean() -> None:
    """A cut-off block of one bright pixel goes before a whole block with more brightness in sum."""
    maps = torch.zeros(1, 3, 3)
    maps[0, :2, :2] = 0.5
    maps[0, 2, 2] = 0.9
    ranks = rank_pixels(maps, seed=0, block=2).ranks[0]
    assert (int(ranks[2, 2]), int(ranks[0, 0]), int(ranks[1, 1])) == (0, 1, 1)


def test_ties_are_fair_and_seeded() -> None:
    """Of a flat map every pixel is as often among the first half, within 4 standard deviations."""
    flat = torch.zeros(4000, 4, 4)
    ranking = rank_pixels(flat, seed=0)
    often = ranking.first(8).double().mean(0)
    assert float((often - 0.5).abs().max()) < 4 * 0.5 / 4000**0.5
    assert torch.equal(rank_pixels(flat, seed=0).ranks, ranking.ranks)
    assert not torch.equal(rank_pixels(flat, seed=1).ranks, ranking.ranks)


def test_a_lower_map_is_enlarged_between_pixel_centres() -> None:
    maps = drawn(3, 2, 4, 4)
    large = torch.nn.functional.interpolate(maps[:, None], size=(8, 8), mode="bilinear", align_corners=False)[:, 0]
    assert torch.equal(at_image_size(maps, (8, 8)), large)


def test_block_sides() -> None:
    assert (block_side(32, 32), block_side(224, 300), block_side(8, 8)) == (4, 28, 2)


def test_what_is_no_map() -> None:
    maps = torch.zeros(3, 4, 4)
    maps[1, 0, 0] = float("nan")
    with pytest.raises(WorkError, match=r"1 of 3 maps .* \(first: map 1\)"):
        at_image_size(maps, (4, 4))
    with pytest.raises(ValueError, match="4×4 for images of 2×2"):
        at_image_size(torch.zeros(1, 4, 4), (2, 2))
    with pytest.raises(ValueError, match="block is 0"):
        rank_pixels(torch.zeros(1, 4, 4), seed=0, block=0)


def test_evidence_is_what_is_positive() -> None:
    maps = torch.tensor([[[-1.0, 2.0], [4.0, 0.0]], [[-1.0, -2.0], [-3.0, 0.0]]])
    assert positive_scaled(maps).tolist() == [[[0.0, 0.5], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
