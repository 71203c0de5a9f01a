"""ROAD and average drop against pytorch-grad-cam 1.5, where its definitions are those of the papers."""

import numpy as np
import pytest
import torch
from networks import small
from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence, IncreaseInConfidence
from pytorch_grad_cam.metrics.perturbation_confidence import (
    PerturbationConfidenceMetric,
    RemoveLeastRelevantFirst,
    RemoveMostRelevantFirst,
)
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
from torch import Tensor

from cnnlab.attribution.measures.curves import rank_pixels
from cnnlab.attribution.measures.probability import confidence_drop
from cnnlab.attribution.measures.road import impute, road

SIDE = 10
"""Of 100 distinct values, just p are below the p-th percentile as numpy interpolates it."""


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def distinct(seed: int, n: int) -> Tensor:
    """Maps of 0, 0.01 … 0.99 in random order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randperm(SIDE**2, generator=generator) / SIDE**2 for _ in range(n)]).reshape(
        n, SIDE, SIDE
    )


IMAGES, TARGETS = drawn(0, 4, 3, SIDE, SIDE), torch.tensor([0, 1, 2, 3])
THEIR_TARGETS = [ClassifierOutputSoftmaxTarget(int(target)) for target in TARGETS]


@pytest.mark.parametrize("side", [5, 16, 32])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_the_imputer(side: int, part: float) -> None:
    image = drawn(side, 3, side, side)
    removed = torch.rand(side, side, generator=torch.Generator().manual_seed(1)) < part
    theirs = NoisyLinearImputer(noise=0)(image, (~removed).float())
    torch.testing.assert_close(impute(image, removed), theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("percentile", [10.0, 30.0, 50.0, 80.0])
def test_road_at_one_percentile(percentile: float) -> None:
    """Theirs gives the change of the probability, and its percentile is that of the pixels kept."""
    model, maps = small().eval(), distinct(1, 4)
    whole = model(IMAGES).softmax(1).detach()[range(4), TARGETS].double()
    ranking = rank_pixels(maps, seed=0)
    ours = road(model, IMAGES, TARGETS, ranking, noise=torch.zeros_like(IMAGES), percentiles=[percentile])
    for remove, values in ((RemoveMostRelevantFirst, ours.morf), (RemoveLeastRelevantFirst, ours.lerf)):
        metric = PerturbationConfidenceMetric(remove(100 - percentile, NoisyLinearImputer(noise=0)))
        theirs = torch.from_numpy(metric(IMAGES, maps.numpy(), THEIR_TARGETS, model)).double()
        torch.testing.assert_close(values[:, 0] - whole, theirs, rtol=0, atol=1e-6)


def test_road_combined() -> None:
    """(LeRF − MoRF)/2 over 10 … 90 %, where removed and kept percentiles are the same set."""
    model, maps = small().eval(), distinct(2, 4)
    percentiles = range(10, 100, 10)

    def mean(remove: type) -> np.ndarray:
        metrics = [PerturbationConfidenceMetric(remove(p, NoisyLinearImputer(noise=0))) for p in percentiles]
        return np.mean([metric(IMAGES, maps.numpy(), THEIR_TARGETS, model) for metric in metrics], axis=0)

    theirs = (mean(RemoveLeastRelevantFirst) - mean(RemoveMostRelevantFirst)) / 2
    ranking = rank_pixels(maps, seed=0)
    ours = road(model, IMAGES, TARGETS, ranking, noise=torch.zeros_like(IMAGES))
    torch.testing.assert_close(ours.combined, torch.from_numpy(theirs).double(), rtol=0, atol=1e-6)


def test_under_ties_they_remove_another_number_and_we_the_number_asked_for() -> None:
    """75 % zeros at 50 %: a threshold takes 100 % of the pixels for MoRF, and 75 % for LeRF."""
    maps = distinct(3, 1)
    maps[maps < 0.75] = 0

    def kept(image: Tensor, keep: Tensor) -> float:
        return float(keep.mean())

    assert 1 - RemoveMostRelevantFirst(50, kept)(IMAGES[0], maps[0]) == 1
    assert 1 - RemoveLeastRelevantFirst(50, kept)(IMAGES[0], maps[0]) == pytest.approx(0.75)
    ranking = rank_pixels(maps, seed=0)
    assert (int(ranking.first(50).sum()), int(ranking.last(50).sum())) == (50, 50)


def test_drop_is_theirs_made_relative_and_increase_is_theirs() -> None:
    """Theirs is max(0, Y − O); the paper divides by Y."""
    model, maps = small().eval(), torch.rand(4, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    maps = maps / maps.amax((1, 2), keepdim=True)
    ours = confidence_drop(model, IMAGES, TARGETS, maps)
    theirs = torch.from_numpy(DropInConfidence()(IMAGES, maps.numpy(), THEIR_TARGETS, model)).double()
    assert bool((theirs > 0).any())
    torch.testing.assert_close(ours.drop * ours.whole, theirs, rtol=0, atol=1e-6)
    increase = torch.from_numpy(IncreaseInConfidence()(IMAGES, maps.numpy(), THEIR_TARGETS, model)).double()
    assert 0 < float(increase.sum()) < 4
    torch.testing.assert_close(ours.increase, increase)
