import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.attribution.measures.location import gini, top_share


def test_ends_of_the_scale() -> None:
    point = torch.zeros(1, 10, 10)
    point[0, 3, 4] = 5
    uniform, nothing = torch.full((1, 10, 10), 0.2), -torch.ones(1, 10, 10)
    maps = torch.cat([point, uniform, nothing])
    assert gini(maps).tolist() == pytest.approx([0.99, 0, 0], abs=1e-12)
    assert top_share(maps).tolist() == pytest.approx([1, 0.1, 0])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 6))
def test_gini_is_half_the_mean_difference_over_the_mean(seed: int, height: int, width: int) -> None:
    maps = torch.randn(1, height, width, generator=torch.Generator().manual_seed(seed)).abs()
    values = maps.flatten().double()
    differences = (values[:, None] - values[None, :]).abs().mean()
    assert float(gini(maps)) == pytest.approx(float(differences / (2 * values.mean())), abs=1e-6)


def test_the_strongest_pixels_by_hand() -> None:
    maps = torch.tensor([[[4.0, 3.0], [2.0, 1.0]]])
    assert top_share(maps, share=0.5).tolist() == pytest.approx([0.7])
    assert top_share(maps, share=0.01).tolist() == pytest.approx([0.4])
    assert top_share(maps, share=1.0).tolist() == pytest.approx([1])


def test_scale_does_not_count() -> None:
    maps = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(gini(maps * 1e-30), gini(maps), rtol=1e-5, atol=0)
    torch.testing.assert_close(top_share(maps * 1e30), top_share(maps), rtol=1e-5, atol=0)


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_shares_in_range(share: float) -> None:
    with pytest.raises(ValueError, match="share is"):
        top_share(torch.zeros(1, 2, 2), share=share)
