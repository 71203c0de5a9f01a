import pytest
import torch
from networks import small, unchanged
from torch import Tensor, nn

from cnnlab.attribution.measures.curves import rank_pixels
from cnnlab.attribution.measures.road import PERCENTILES, Road, impute, road, road_noise


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_one_image_at_a_time_by_hand() -> None:
    model, images, targets = small().eval(), drawn(1, 3, 3, 8, 8), torch.tensor([0, 1, 2])
    maps = drawn(2, 3, 8, 8).clamp(min=0)
    ranking, noise = rank_pixels(maps, seed=0), road_noise(images, seed=0)
    found = road(model, images, targets, ranking, noise=noise, percentiles=[25.0, 50.0, 90.0])
    for i in range(3):
        for j, count in enumerate([16, 32, 58]):
            for values, gone in ((found.morf, ranking.first(count)), (found.lerf, ranking.last(count))):
                assert int(gone[i].sum()) == count
                image = impute(images[i], gone[i], noise=noise[i])
                p = model(image[None]).double().softmax(1)[0, targets[i]].detach()
                assert float(values[i, j]) == pytest.approx(float(p), abs=1e-6)


class Counting(nn.Module):
    """Probability of class 0 rises with the number of pixels that differ from 5, the images' value."""

    def forward(self, images: Tensor) -> Tensor:
        changed = (images != 5).flatten(1).double().sum(1)
        return torch.stack([changed, torch.zeros_like(changed)], 1)


@pytest.mark.parametrize("zeros", [0.0, 0.75, 1.0])
def test_exactly_the_asked_number_of_pixels_goes_under_ties(zeros: float) -> None:
    """With 75 % zeros, a threshold at the 50 % quantile takes all the pixels for MoRF, and 75 % for LeRF."""
    maps = torch.rand(2, 6, 6, generator=torch.Generator().manual_seed(0)) + 0.1
    for one in maps:
        one.view(-1)[torch.randperm(36, generator=torch.Generator().manual_seed(1))[: round(zeros * 36)]] = 0
    images, targets = torch.full((2, 1, 6, 6), 5.0), torch.zeros(2).long()
    ranking = rank_pixels(maps, seed=0)
    found = road(Counting(), images, targets, ranking, noise=torch.ones(2, 1, 6, 6), max_batch=5)
    expected = torch.tensor([round(p / 100 * 36) for p in PERCENTILES]).double().expand(2, -1)
    torch.testing.assert_close(found.morf.logit(), expected, rtol=0, atol=1e-3)
    torch.testing.assert_close(found.lerf.logit(), expected, rtol=0, atol=1e-3)


def test_the_combination() -> None:
    found = Road((10.0, 20.0), torch.tensor([[0.1, 0.3]]).double(), torch.tensor([[0.5, 0.9]]).double())
    assert float(found.combined) == pytest.approx(((0.5 - 0.1) / 2 + (0.9 - 0.3) / 2) / 2)


def test_a_map_upside_down_has_the_opposite_score() -> None:
    model, images, targets = small().eval(), drawn(3, 2, 3, 8, 8), torch.tensor([0, 3])
    maps, noise = drawn(4, 2, 8, 8), road_noise(images, seed=0)
    up = road(model, images, targets, rank_pixels(maps, seed=0), noise=noise)
    down = road(model, images, targets, rank_pixels(-maps, seed=0), noise=noise)
    torch.testing.assert_close(up.combined, -down.combined, rtol=0, atol=1e-6)


def test_noise_is_seeded_and_of_its_deviation() -> None:
    images = torch.zeros(4, 3, 32, 32)
    noise = road_noise(images, seed=1, deviation=0.5)
    assert float(noise.std()) == pytest.approx(0.5, rel=0.03)
    assert torch.equal(noise, road_noise(images, seed=1, deviation=0.5))
    assert not torch.equal(noise, road_noise(images, seed=2, deviation=0.5))


def test_the_model_is_left_as_it_was() -> None:
    model, images = small(), drawn(5, 2, 3, 8, 8)
    ranking = rank_pixels(drawn(6, 2, 8, 8), seed=0)
    with unchanged(model):
        road(model, images, torch.tensor([0, 1]), ranking, noise=torch.zeros_like(images))


@pytest.mark.parametrize("percentiles", [[], [0.0], [100.0], [50.0, 120.0]])
def test_percentiles_in_range(percentiles: list[float]) -> None:
    images, ranking = drawn(5, 1, 3, 8, 8), rank_pixels(drawn(6, 1, 8, 8), seed=0)
    with pytest.raises(ValueError, match="numbers between 0 and 100"):
        road(small(), images, torch.tensor([0]), ranking, noise=torch.zeros_like(images), percentiles=percentiles)
