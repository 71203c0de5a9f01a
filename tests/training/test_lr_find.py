import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from cnnlab.config import QUICKSTART
from cnnlab.config.config import read_config
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.data.batches import ChannelStatistics, TrainingBatches
from cnnlab.fit.parameter_groups import ParameterGroup, learning_parameters
from cnnlab.network.session import Session
from cnnlab.training.lr_find import (
    RatePoint,
    find_learning_rate,
    learning_rate_range,
    smoothed_losses,
    suggest_rate,
    suggested_changes,
)


def toy() -> tuple[nn.Module, TrainingBatches]:
    """Images whose class is their brightness, but for one in eight: learned soon, and never without loss."""
    torch.manual_seed(0)
    labels = torch.randint(2, (64,))
    images = (torch.randint(100, (64, 1, 4, 4)) + labels[:, None, None, None] * 150).to(torch.uint8)
    labels[::8] = 1 - labels[::8]
    data = TrainingBatches(
        images, labels, batch_size=64, seed=0, augmentations=[], statistics=ChannelStatistics((0.5,), (0.3,)), classes=2
    )
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), data


def find(end: float = 100.0, steps: int = 120, rules: list[ParameterGroup] | None = None) -> list[RatePoint]:
    model, data = toy()
    optimizer = torch.optim.SGD(learning_parameters(model, rules or []).groups(lr=0.1, weight_decay=0.0), momentum=0.9)
    loss = nn.CrossEntropyLoss()
    return list(learning_rate_range(model, optimizer, data, loss=loss, start=1e-5, end=end, steps=steps))


def test_rates_grow_geometrically_and_it_stops_when_the_loss_blows_up() -> None:
    points = find()
    assert points[0].lr == pytest.approx(1e-5)
    ratios = [b.lr / a.lr for a, b in pairwise(points)]
    assert ratios == pytest.approx([1e7 ** (1 / 119)] * len(ratios))
    assert len(points) < 120
    assert all(math.isfinite(point.loss) for point in points)


def test_the_suggestion_learns() -> None:
    rate = suggest_rate(find())
    assert rate is not None
    assert 1e-4 < rate < 1
    model, data = toy()
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9), []
    for epoch in range(30):
        for batch in data.epoch(epoch):
            loss = nn.functional.cross_entropy(model(batch.images), batch.targets)
            losses.append(float(loss.detach()))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert losses[-1] < 0.8 * losses[0]


def test_a_range_that_is_too_low_gives_no_suggestion() -> None:
    points = find(end=1.1e-5, steps=12)
    assert len(points) == 12
    assert suggest_rate(points) is None
    assert suggest_rate(points[:5]) is None


def test_groups_keep_their_proportion() -> None:
    assert find(rules=[ParameterGroup(match=["1.*"], lr_scale=2.0)])[0].lr == pytest.approx(1e-5)


def test_every_rate_of_an_optimizer_is_changed_by_one_factor() -> None:
    """A rate of 0.01 was that of the first group where each rate of the config was a tenth of what it is."""
    points = [RatePoint(1, 0.01, 2.3, 2.3, factor=0.1)]
    muon = component("optimizer", "muon", lr=0.2, rest={"sgd": {"lr": 0.05}})
    assert suggested_changes(muon, points, 0.04) == ("optimizer.lr=0.08", "optimizer.rest.sgd.lr=0.02")
    found = find(rules=[ParameterGroup(match=["1.*"], lr_scale=2.0)])
    assert [point.factor for point in found[:3]] == pytest.approx([point.lr / 0.2 for point in found[:3]])


def test_the_smoothed_loss_by_hand() -> None:
    points, running = find(steps=30), 0.0
    for step, point in enumerate(points, 1):
        running = 0.95 * running + 0.05 * point.loss
        assert point.smoothed == pytest.approx(running / (1 - 0.95**step))


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (1.0, 1.0), (1.0, 0.1)])
def test_ranges_that_do_not_grow(start: float, end: float) -> None:
    with pytest.raises(RequestError, match=r"`start` is .* and `end` .*; expected 0 < start < end"):
        next(find_learning_rate(read_config(QUICKSTART), Session(device_name="cpu"), start=start, end=end))


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_noise_alone_suggests_nothing(noise: float) -> None:
    """Losses of a network that learns nothing: at most 3 of 200 tests see a fall in them."""
    found = 0
    for seed in range(200):
        losses = torch.randn(100, generator=torch.Generator().manual_seed(seed)).mul(noise).add(2.3).tolist()
        points = [RatePoint(i + 1, 1e-5 * 1e6 ** (i / 99), loss, math.nan) for i, loss in enumerate(losses)]
        found += suggest_rate(points) is not None
    assert found <= 3


@pytest.mark.parametrize("seed", range(20))
def test_the_suggestion_is_on_the_fall_whatever_the_noise(seed: int) -> None:
    """A curve as networks with batch normalisation draw it: flat and noisy, a fall, a blow-up."""
    noise = torch.randn(200, generator=torch.Generator().manual_seed(seed)).mul(0.03).tolist()
    points = []
    for i, wobble in enumerate(noise):
        lr = 1e-5 * 1e6 ** (i / 199)
        place = math.log10(lr)
        fall = -0.5 / (1 + math.exp(-6 * (place + 1.5)))  # half of it at 10^-1.5
        rise = 2 / (1 + math.exp(-8 * (place - 0.5)))
        points.append(RatePoint(i + 1, lr, 2.3 + wobble + fall + rise, math.nan))
    rate = suggest_rate(points)
    assert rate is not None
    assert 1e-2 < rate < 0.3


def test_the_window_leaves_a_straight_line_straight() -> None:
    points = [RatePoint(i, 1.0 + i, 3.0 - 0.01 * i, math.nan) for i in range(100)]
    assert smoothed_losses(points)[50] == pytest.approx(2.5)
