"""Progressive resolution: against torch's own antialiased resizing, and a schedule of sizes written out by hand."""

import math

import pytest
import torch
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import Batch, ChannelStatistics, TrainingBatches
from cnnlab.fit.fit import StepDone, fit
from cnnlab.fit.parameter_groups import learning_parameters
from cnnlab.fit.resolution import Resolution
from cnnlab.fit.state import TrainingState


def batch(height: int = 32, width: int = 32) -> Batch:
    images = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    return Batch(images, torch.tensor([0, 1]), torch.arange(2))


def test_sizes_follow_the_share_of_the_training() -> None:
    resolution = Resolution({0.75: 32, 0: 24, 0.4: 28}, (32, 32))
    expected = [(0.0, 24), (0.39, 24), (0.4, 28), (0.74, 28), (0.75, 32), (1.0, 32)]
    assert [resolution.at(share) for share, _ in expected] == [(side, side) for _, side in expected]
    assert list(resolution.spans()) == [(0.4, (24, 24)), (pytest.approx(0.35), (28, 28)), (0.25, (32, 32))]
    assert resolution.pixels == pytest.approx((0.4 * 24**2 + 0.35 * 28**2 + 0.25 * 32**2) / 32**2)
    assert resolution.sentence == (
        "images of 24 × 24 at first, 28 × 28 from 40 % on, 32 × 32 from 75 % on; validation at their own 32 × 32 px"
    )
    late = Resolution({0.5: 16}, (32, 48))
    assert (late.at(0.4), late.at(0.5)) == ((32, 48), (16, 24))
    assert late.sentence.endswith("32 × 48 px, a size that it is not trained with at the end")


def test_images_are_averaged_down_and_whole_ones_are_themselves() -> None:
    one = batch()
    half = Resolution({0: 16}, (32, 32)).shown(one, 0.0)
    oracle = torch.nn.functional.interpolate(one.images, (16, 16), mode="bilinear", antialias=True)
    assert torch.equal(half.images, oracle)
    assert torch.equal(half.targets, one.targets)
    # a checkerboard of single pixels is grey when halved, where subsampling would make it black or white
    board = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
    grey = Resolution({0: 16}, (32, 32)).shown(Batch(board.expand(2, 3, 32, 32), one.targets, one.indices), 0.0)
    assert grey.images.abs().max() < 0.3
    assert Resolution({0: 24, 0.5: 32}, (32, 32)).shown(one, 0.5) is one


def test_a_size_that_does_not_fit_is_told() -> None:
    flat = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 2))
    Resolution({0: 32}, (32, 32)).check(flat, 3)
    with pytest.raises(RequestError, match=r"^training.sizes: 24 × 24 px do not go through the network \(mat1 and"):
        Resolution({0: 24}, (32, 32)).check(flat, 3)
    with pytest.raises(
        RequestError, match="33 px from 0 % of the training on is more than the images have: they are 32"
    ):
        Resolution({0: 33}, (32, 32))


class Watched(nn.Module):
    """Notes the size of what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 3)
        self.sides: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sides.append(images.shape[-1])
        scores: torch.Tensor = self.linear(images.mean((2, 3)))
        return scores


@pytest.mark.parametrize("budget", [None, 40.0])
def test_a_training_sees_them_by_its_steps_or_by_its_clock(budget: float | None) -> None:
    model = Watched()
    optimizer = torch.optim.SGD(learning_parameters(model).groups(lr=0.1, weight_decay=0.0))
    batches = TrainingBatches(
        torch.zeros(40, 1, 8, 8, dtype=torch.uint8),
        torch.zeros(40, dtype=torch.int64),
        batch_size=4,
        seed=0,
        augmentations=[],
        statistics=ChannelStatistics((0.5,), (0.5,)),
        classes=3,
    )
    ticks = iter(range(10_000))
    facts = fit(
        TrainingState(model, optimizer, torch.device("cpu")),
        batches,
        loss=nn.CrossEntropyLoss(),
        schedule=lambda done: 1.0,
        epochs=1 if budget is None else 1000,
        time_budget=budget,
        resolution=Resolution({0: 4, 0.4: 6, 0.75: 8}, (8, 8)),
        clock=lambda: float(next(ticks)),
    )
    steps = sum(isinstance(fact, StepDone) for fact in facts)
    if budget is None:
        assert model.sides == [4] * 4 + [6] * 4 + [8] * 2
    else:
        assert steps == len(model.sides) < 40
        counts = {side: model.sides.count(side) / steps for side in (4, 6, 8)}
        assert counts == pytest.approx({4: 0.4, 6: 0.35, 8: 0.25}, abs=1.5 / math.sqrt(steps))
    assert model.sides == sorted(model.sides)
