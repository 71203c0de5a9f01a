"""Choosing the hardest images of a batch: against a sort of losses written out, and a hand-made choice."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import ChannelStatistics, TrainingBatches
from cnnlab.fit.hardest import Choices, HardestBatches, HardestLoss, kept

N, CLASSES, KEEP = 13, 4, 0.4
OPTIONS = {"weight": torch.tensor([1.0, 2.0, 0.5, 1.0]), "label_smoothing": 0.2}


@pytest.fixture(scope="module")
def batches() -> TrainingBatches:
    images = torch.randint(256, (N, 1, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return TrainingBatches(
        images,
        torch.arange(N) % CLASSES,
        batch_size=5,
        seed=0,
        augmentations=(),
        statistics=ChannelStatistics((0.5,), (0.25,)),
        classes=CLASSES,
    )


def choices_for(batches: TrainingBatches, epochs: int = 2) -> tuple[list[list[torch.Tensor]], Choices]:
    generator = torch.Generator().manual_seed(1)
    chosen = []
    for _ in range(epochs):
        chosen.append([])
        for begin, end in batches.bounds:
            places = torch.randperm(end - begin, generator=generator)[: kept(end - begin, KEEP)]
            chosen[-1].append(torch.zeros(end - begin, dtype=torch.bool).index_fill(0, places, True))
    return chosen, Choices.packed(chosen, 1.5)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("mixed", [False, True])
def test_the_loss_is_that_of_the_images_with_the_largest_losses(reduction: str, mixed: bool) -> None:
    torch.manual_seed(0)
    logits = torch.randn(N, CLASSES, requires_grad=True)
    targets = torch.rand(N, CLASSES).softmax(1) if mixed else torch.randint(CLASSES, (N,))
    each = [F.cross_entropy(logits[i : i + 1], targets[i : i + 1], reduction="sum", **OPTIONS).item() for i in range(N)]
    hardest = sorted(sorted(range(N), key=each.__getitem__)[-6:])  # 0.4 of 13, rounded up
    loss = HardestLoss(nn.CrossEntropyLoss(reduction=reduction, **OPTIONS), keep=KEEP, skip=2)
    value, skipped = loss(logits, targets), loss(logits, targets)
    torch.testing.assert_close(
        value, F.cross_entropy(logits[hardest], targets[hardest], reduction=reduction, **OPTIONS)
    )
    value.backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum(1).nonzero().flatten().tolist() == hardest
    assert torch.equal(skipped, value)
    assert not skipped.requires_grad
    assert [one.nonzero().flatten().tolist() for one in loss.chosen] == [hardest, hardest]


def test_batches_come_with_the_chosen_images_alone(batches: TrainingBatches) -> None:
    chosen, choices = choices_for(batches)
    state = {name: value.clone() if name == "bits" else value for name, value in choices.state_dict().items()}
    filtered = HardestBatches(batches, Choices.loaded(state, batches, KEEP))
    assert filtered.steps == 3
    for epoch in range(2):
        for start in (0, 2):
            pairs = zip(batches.epoch(epoch, start), filtered.epoch(epoch, start), strict=True)
            for number, (whole, part) in enumerate(pairs, start):
                some = chosen[epoch][number]
                assert torch.equal(part.images, whole.images[some])
                assert torch.equal(part.targets, whole.targets[some])
                assert torch.equal(part.indices, whole.indices[some])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": None}, "'bits' is 'None', expected bytes, 2 for an epoch"),
        ({"bits": torch.zeros(2, 3, dtype=torch.uint8)}, "expected bytes, 2 for an epoch"),
        ({"bits": torch.full((2, 2), 255, dtype=torch.uint8)}, "'bits' is '5', expected 2 images of the 5 of a batch"),
        ({"seconds": -1.0}, "'seconds' is '-1.0', expected a number of at least 0"),
    ],
)
def test_damaged_choices_are_refused(batches: TrainingBatches, change, message: str) -> None:
    _, choices = choices_for(batches)
    with pytest.raises(RequestError, match="a damaged checkpoint") as error:
        Choices.loaded(choices.state_dict() | change, batches, KEEP)
    assert message in str(error.value)


def test_a_loss_of_the_mean_alone_is_refused() -> None:
    with pytest.raises(RequestError, match="give it a `reduction`"):
        HardestLoss(lambda logits, targets: logits.mean(), keep=KEEP)
