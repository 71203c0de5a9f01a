from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.registry import component
from cnnlab.data.batches import Batch, ChannelStatistics, TrainingBatches
from cnnlab.fit import catalog  # noqa: F401
from cnnlab.fit.fit import EpochDone, StepDone, fit
from cnnlab.fit.parameter_groups import learning_parameters
from cnnlab.fit.state import Ema, TrainingState

CPU = torch.device("cpu")
LOSS = nn.CrossEntropyLoss()


def network(*, norm: bool = True, dropout: bool = True) -> nn.Sequential:
    torch.manual_seed(1)
    layers: list[nn.Module] = [nn.Conv2d(1, 4, 3)]
    layers += [nn.BatchNorm2d(4)] if norm else []
    layers += [nn.Dropout(0.3)] if dropout else []
    return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def batches(count: int = 40, *, batch_size: int = 8, drop_last: bool = False) -> TrainingBatches:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (count,), generator=generator)
    images = torch.randint(60, (count, 1, 4, 4), generator=generator, dtype=torch.uint8)
    images += (labels * 60).to(torch.uint8)[:, None, None, None]
    return TrainingBatches(
        images,
        labels,
        batch_size=batch_size,
        seed=3,
        augmentations=[],
        statistics=ChannelStatistics((0.4,), (0.25,)),
        classes=3,
        drop_last=drop_last,
    )


def state(model: nn.Module, *, lr: float = 0.05, ema: bool = False) -> TrainingState:
    optimizer = component("optimizer", "sgd", lr=lr, momentum=0.9).build(parameters=learning_parameters(model))
    torch.manual_seed(7)
    return TrainingState(model, optimizer, CPU, ema=Ema(model, decay=0.9) if ema else None)


def cosine(epochs: int) -> Callable[[float], float]:
    made: Callable[[float], float] = component("schedule", "cosine").build(epochs=epochs)
    return made


def facts_of(events: list[Any]) -> list[Any]:
    """The events without what depends on the clock, tensors as numbers."""
    found = []
    for event in events:
        if isinstance(event, EpochDone):
            found.append(replace(event, seconds=0.0, images_per_second=0.0))
        else:
            found.append((event.step, event.epoch, event.batch, event.lr, event.images, float(event.loss)))
    return found


def same(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_what_it_yields() -> None:
    training, data = state(network()), batches(42)
    events = list(fit(training, data, loss=LOSS, schedule=cosine(2), epochs=2))
    steps = [event for event in events if isinstance(event, StepDone)]
    epochs = [event for event in events if isinstance(event, EpochDone)]
    assert [(s.step, s.epoch, s.batch) for s in steps] == [(i + 1, i // 6 + 1, i % 6 + 1) for i in range(12)]
    assert [s.images for s in steps] == [8, 8, 8, 8, 8, 2] * 2
    assert [s.lr for s in steps] == pytest.approx([0.05 * cosine(2)(i / 12) for i in range(12)])
    assert [(e.step, e.epoch, e.lr) for e in epochs] == [(6, 1, steps[5].lr), (12, 2, steps[11].lr)]
    mean = sum(float(s.loss) * s.images for s in steps[:6]) / 42
    assert epochs[0].loss == pytest.approx(mean, rel=1e-5)
    assert all(e.seconds > 0 and e.images_per_second == pytest.approx(42 / e.seconds) for e in epochs)
    assert epochs[1].loss < epochs[0].loss
    assert training.progress.epoch == 2
    assert training.progress.seconds == pytest.approx(sum(e.seconds for e in epochs))
    assert training.model.training


def test_it_is_the_bare_loop_of_torch() -> None:
    """The oracle: the loop that a tutorial would write, to the bit."""
    data, model = batches(), network()
    training = state(network())
    events = list(fit(training, data, loss=LOSS, schedule=lambda done: 1.0, epochs=2))
    torch.manual_seed(7)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    accuracies = []
    for epoch in range(2):
        right = []
        for batch in data.epoch(epoch):
            optimizer.zero_grad()
            logits = model(batch.images)
            LOSS(logits, batch.targets).backward()
            optimizer.step()
            right += (logits.argmax(1) == batch.targets).tolist()
        accuracies.append(sum(right) / len(right))
    assert same(training.model, model)
    assert [event.accuracy for event in events if isinstance(event, EpochDone)] == accuracies
    assert 0 < min(accuracies) < max(accuracies) < 1


@pytest.mark.parametrize("accumulate", [2, 3, 5, 9])
def test_accumulated_batches_equal_one_big_batch(accumulate: int) -> None:
    small, big = state(network(norm=False, dropout=False)), state(network(norm=False, dropout=False))
    steps = list(fit(small, batches(45), loss=LOSS, schedule=cosine(1), epochs=1, accumulate=accumulate))
    expected = list(fit(big, batches(45, batch_size=8 * accumulate), loss=LOSS, schedule=cosine(1), epochs=1))
    for a, b in zip(small.model.parameters(), big.model.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert [getattr(e, "images", None) for e in steps] == [getattr(e, "images", None) for e in expected]
    assert steps[-1].loss == pytest.approx(expected[-1].loss, rel=1e-5)


def test_a_summed_loss_has_the_gradient_of_all_images_and_tells_of_one() -> None:
    """The oracle: the bare loop, with batches accumulated by torch's own sum."""
    data, model = batches(42), network(dropout=False)
    training = state(network(dropout=False), lr=0.005)
    loss = nn.CrossEntropyLoss(reduction="sum")
    events = list(fit(training, data, loss=loss, schedule=lambda done: 1.0, epochs=1, accumulate=2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    losses = []
    for number, batch in enumerate(data.epoch(0)):
        value = loss(model(batch.images), batch.targets)
        value.backward()
        losses.append(value.item())
        if number % 2:
            optimizer.step()
            optimizer.zero_grad()
    assert same(training.model, model)
    assert [float(event.loss) for event in events[:-1]] == pytest.approx(
        [(a + b) / images for a, b, images in zip(losses[::2], losses[1::2], (16, 16, 10), strict=True)]
    )
    assert events[-1].loss == pytest.approx(sum(losses) / 42)


@pytest.mark.parametrize("stop", [1, 4, 5, 6, 7, 10, 13])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_run_that_stops_anywhere_goes_on_to_the_bit(stop: int, accumulate: int) -> None:
    def events(training: TrainingState) -> Any:
        return fit(training, batches(), loss=LOSS, schedule=cosine(3), epochs=3, accumulate=accumulate)

    whole = state(network(), ema=True)
    expected = facts_of(list(events(whole)))
    first, seen, saved = state(network(), ema=True), [], None
    for event in events(first):
        seen.append(event)
        if first.progress.step == min(stop, 8):
            saved = first.state_dict()
            break
    second = state(network(), ema=True)
    torch.manual_seed(99)
    second.load_state_dict(saved)
    assert facts_of(seen) + facts_of(list(events(second))) == expected
    assert same(second.model, whole.model)
    assert same(second.ema.model, whole.ema.model)


class Clock:
    """Each look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_a_time_budget_ends_on_time_with_the_schedule_run_down() -> None:
    clock = Clock()
    training = state(network())
    events = list(fit(training, batches(), loss=LOSS, schedule=cosine(100), epochs=100, time_budget=40.0, clock=clock))
    steps = [event for event in events if isinstance(event, StepDone)]
    assert 40 <= clock.now <= 45
    assert 0 < len(steps) < 40
    assert steps[-1].lr < 0.05 * 0.1
    assert all(a.lr >= b.lr for a, b in pairwise(steps))
    assert isinstance(events[-1], EpochDone)
    assert events[-1].step == steps[-1].step
    assert training.progress.elapsed >= 40
    whole = [event for event in events if isinstance(event, EpochDone)]
    assert all(event.share == 1 for event in whole[:-1])
    assert all(a.done < b.done for a, b in pairwise(steps))
    assert steps[0].done < 0.1
    assert steps[-1].done > 0.9
    assert sum(event.share for event in whole) == pytest.approx(len(steps) / batches().steps)


def test_the_least_time_budget_still_makes_a_step() -> None:
    events = list(fit(state(network()), batches(), loss=LOSS, schedule=cosine(9), epochs=9, time_budget=1e-9))
    assert [type(event) for event in events] == [StepDone, EpochDone]
    assert events[0].done == 1


def test_a_generous_budget_changes_nothing() -> None:
    plain = state(network())
    list(fit(plain, batches(), loss=LOSS, schedule=cosine(2), epochs=2))
    timed = state(network())
    list(fit(timed, batches(), loss=LOSS, schedule=cosine(2), epochs=2, time_budget=1e9))
    assert same(plain.model, timed.model)


def test_time_between_the_steps_is_not_training_time() -> None:
    clock = Clock()
    training = state(network())
    for _ in fit(training, batches(), loss=LOSS, schedule=cosine(1), epochs=1, clock=clock):
        clock.now += 1000
    assert training.progress.seconds < 100
    assert training.progress.elapsed > 4000


def test_divergence_names_step_rate_and_layer() -> None:
    training = state(network())
    events = fit(training, batches(), loss=LOSS, schedule=cosine(2), epochs=2)
    while training.progress.step < 6:
        next(events)
    with torch.no_grad():
        training.model[0].bias[0] = float("nan")
    with pytest.raises(WorkError) as caught:
        next(events)
    rate = 0.05 * cosine(2)(0.6)
    assert str(caught.value) == (
        f"the loss is nan at step 7 (epoch 2) with learning rate {rate:.4g}: it appears first in layer 0 "
        "(its bias is not finite). Try a lower optimizer.lr (cnnlab lr-find), or clipping"
    )
    assert training.progress.step == 6


def test_divergence_in_one_of_several_accumulated_batches() -> None:
    class Spoiled:
        steps = 4

        def epoch(self, epoch: int, start: int = 0) -> Any:
            images, labels = torch.ones(2, 1, 4, 4), torch.tensor([0, 1])
            for index in range(start, 4):
                yield Batch(images * (1e38 if index == 2 else 1), labels, labels)

    training = state(network(norm=False, dropout=False))
    with torch.no_grad():
        training.model[0].weight.fill_(10.0)
    with pytest.raises(WorkError, match=r"at step 1 .* first in layer 0 \(its output; its weights are finite\)"):
        list(fit(training, Spoiled(), loss=LOSS, schedule=cosine(1), epochs=1, accumulate=4))


def test_learning_rates_of_groups_keep_their_proportion() -> None:
    training = state(network())
    group = training.optimizer.param_groups[0]
    other = {"params": [nn.Parameter(torch.ones(1))], "lr": 1.0, "lr_base": 20 * group["lr_base"]}
    training.optimizer.add_param_group(other)
    for event in fit(training, batches(), loss=LOSS, schedule=cosine(1), epochs=1):
        first, second = training.optimizer.param_groups
        assert second["lr"] == pytest.approx(20 * first["lr"])
        assert event.lr == first["lr"]


def test_clipping_is_applied_and_the_norm_before_it_reported() -> None:
    training = state(network(), lr=1.0)
    clip = component("clipping", "norm", maximum=1e-6).build(model=training.model)
    before = [p.detach().clone() for p in training.model.parameters()]
    event = next(iter(fit(training, batches(), loss=LOSS, schedule=lambda done: 1.0, epochs=1, clip=clip)))
    assert float(event.gradient_norm) > 1e-3
    moved = torch.cat([(p - old).flatten() for p, old in zip(training.model.parameters(), before, strict=True)])
    assert float(moved.detach().norm()) < 1e-5


def test_mixed_targets_have_no_accuracy() -> None:
    class Mixed:
        steps = 1

        def epoch(self, epoch: int, start: int = 0) -> Any:
            yield Batch(torch.ones(2, 1, 4, 4), torch.full((2, 3), 1 / 3), torch.tensor([0, 1]))

    events = list(fit(state(network()), Mixed(), loss=LOSS, schedule=cosine(1), epochs=1))
    assert events[-1].accuracy is None


def test_bf16_losses_are_kept_in_full_precision() -> None:
    seen: list[torch.dtype] = []

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        seen.append(logits.dtype)
        return LOSS(logits, targets)

    list(fit(state(network()), batches(), loss=loss, schedule=cosine(1), epochs=1, precision="bf16"))
    assert set(seen) == {torch.float32}


def test_an_epoch_without_batches() -> None:
    empty = SimpleNamespace(steps=0)
    with pytest.raises(RequestError, match="an epoch has no batch"):
        next(fit(state(network()), empty, loss=LOSS, schedule=cosine(1), epochs=1))
