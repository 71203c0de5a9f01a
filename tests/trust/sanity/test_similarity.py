import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import Tensor

from cnnlab.trust.sanity.similarity import map_similarity, spearman, structural_similarity


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(2, 9), st.booleans())
def test_spearman_is_scipys_with_and_without_ties(seed: int, height: int, width: int, ties: bool) -> None:
    ours, theirs = drawn(seed, 3, height, width), drawn(seed + 1, 3, height, width)
    ours = ours + 0.5 * theirs
    if ties:
        ours, theirs = ours.clamp(min=0), theirs.round()
    ours[0, 0, 0] = theirs[0, 0, 0] = 9.0
    found = spearman(ours, theirs)
    expected = spearmanr(ours[0].flatten().numpy(), theirs[0].flatten().numpy()).statistic
    assert float(found[0]) == pytest.approx(float(expected), abs=1e-9)


def windows_by_hand(first: Tensor, second: Tensor, radius: int, sigma: float) -> float:
    """Wang's equation 13, one window after the other."""
    axis = torch.arange(-radius, radius + 1).double()
    row = torch.exp(-(axis**2) / (2 * sigma**2))
    weights = torch.outer(row, row) / row.sum() ** 2
    first, second = first.abs().double() / first.abs().max(), second.abs().double() / second.abs().max()
    found = []
    for y in range(radius, first.shape[0] - radius):
        for x in range(radius, first.shape[1] - radius):
            place = (slice(y - radius, y + radius + 1), slice(x - radius, x + radius + 1))
            a, b = first[place], second[place]
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            variance_a, variance_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
            covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
            found.append(
                (2 * mean_a * mean_b + 1e-4)
                * (2 * covariance + 9e-4)
                / ((mean_a**2 + mean_b**2 + 1e-4) * (variance_a + variance_b + 9e-4))
            )
    return float(torch.stack(found).mean())


@pytest.mark.parametrize(
    ("height", "width", "radius", "sigma"),
    [(13, 15, 5, 1.5), (11, 11, 5, 1.5), (7, 12, 3, 3 / 3.5), (3, 3, 1, 1 / 3.5)],
)
def test_ssim_is_wangs(height: int, width: int, radius: int, sigma: float) -> None:
    first, second = drawn(0, 2, height, width), drawn(1, 2, height, width)
    second = second + first
    found = structural_similarity(first, second)
    for i in range(2):
        assert float(found[i]) == pytest.approx(windows_by_hand(first[i], second[i], radius, sigma), abs=1e-9)


@pytest.mark.parametrize("side", [1, 2, 5, 16])
def test_a_map_is_like_itself_at_any_scale(side: int) -> None:
    maps = drawn(2, 2, side, side)
    found = structural_similarity(maps, 7 * maps)
    torch.testing.assert_close(found, torch.ones(2).double())


def test_sign_is_one_question_and_place_another() -> None:
    maps = drawn(3, 2, 16, 16)
    found = map_similarity(maps, -maps, size=(16, 16))
    torch.testing.assert_close(found.signed, -torch.ones(2).double())
    torch.testing.assert_close(found.absolute, torch.ones(2).double())
    torch.testing.assert_close(found.ssim, torch.ones(2).double())


def test_lower_maps_are_compared_as_they_are_looked_at() -> None:
    low, other = drawn(4, 2, 4, 4), drawn(5, 2, 8, 8)
    large = torch.nn.functional.interpolate(low[:, None], size=(16, 16), mode="bilinear")[:, 0]
    found, expected = (map_similarity(maps, other, size=(16, 16)) for maps in (low, large))
    torch.testing.assert_close(found.signed, expected.signed)
    torch.testing.assert_close(found.ssim, expected.ssim)


def test_flat_maps_are_said_and_like_nothing() -> None:
    maps, flat = drawn(6, 1, 8, 8), torch.full((1, 8, 8), 0.5)
    found = map_similarity(torch.cat([maps, flat, maps, flat]), torch.cat([maps, maps, flat, flat]), size=(8, 8))
    assert found.flat.tolist() == [[False, False], [True, False], [False, True], [True, True]]
    for values in (found.signed, found.absolute, found.ssim):
        assert values.tolist() == pytest.approx([1, 0, 0, 0])
