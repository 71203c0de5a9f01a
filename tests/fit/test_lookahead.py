"""Lookahead: against the published loop, written out here with plain tensors."""

import copy

import pytest
import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import ChannelStatistics, TrainingBatches
from cnnlab.fit.fit import EpochDone, fit
from cnnlab.fit.lookahead import Lookahead
from cnnlab.fit.state import TrainingState

EPOCHS, STEPS = 2, 6
"""Of each epoch; 12 steps in all, the last two after the last meeting."""


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def batches() -> TrainingBatches:
    generator = torch.Generator().manual_seed(0)
    return TrainingBatches(
        torch.randint(256, (8 * STEPS, 1, 4, 4), generator=generator, dtype=torch.uint8),
        torch.randint(3, (8 * STEPS,), generator=generator),
        batch_size=8,
        seed=3,
        augmentations=[],
        statistics=ChannelStatistics((0.4,), (0.25,)),
        classes=3,
    )


def state(model: nn.Module, lookahead: Lookahead | None) -> TrainingState:
    optimizer = torch.optim.SGD(
        [{"params": list(model.parameters()), "names": ["…"], "lr": 0.1, "lr_base": 0.1}], momentum=0.9
    )
    return TrainingState(model, optimizer, torch.device("cpu"), lookahead=lookahead)


def trained(every: int, **more: object) -> tuple[TrainingState, list[dict[str, Tensor]]]:
    """The state at the end, and what is validated after each epoch."""
    model = network()
    training = state(model, Lookahead(model, every=every, decay=0.95, power=3.0))
    validated = [
        copy.deepcopy(training.evaluated_model.state_dict())
        for fact in fit(
            training, batches(), loss=nn.CrossEntropyLoss(), schedule=lambda done: 1.0, epochs=EPOCHS, **more
        )
        if isinstance(fact, EpochDone)
    ]
    return training, validated


def published(every: int) -> tuple[nn.Module, list[dict[str, Tensor]]]:
    """Jordan's LookaheadState in the same training; also the slow weights after each epoch."""
    model = network()
    slow = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    total, step, after = EPOCHS * STEPS, 0, []

    def update(decay: float) -> None:
        for mine, its in zip(slow.values(), model.state_dict().values(), strict=True):
            if its.is_floating_point():
                mine.lerp_(its, 1 - decay)
                its.copy_(mine)

    model.train()
    for epoch in range(EPOCHS):
        for batch in batches().epoch(epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch.images), batch.targets).backward()
            optimizer.step()
            step += 1
            if step % every == 0:
                update(0.95**every * (step / total) ** 3)
        after.append({name: value.clone() for name, value in slow.items()})
    update(1.0)
    return model, after


def same(mine: dict[str, Tensor], its: dict[str, Tensor]) -> bool:
    return all(torch.equal(mine[name], its[name]) for name in its if its[name].is_floating_point())


@pytest.mark.parametrize("every", [1, 5])
def test_it_is_the_published_loop_and_its_slow_weights_are_validated(every: int) -> None:
    training, validated = trained(every)
    model, slow = published(every)
    assert same(dict(training.model.state_dict()), model.state_dict())
    assert [same(mine, its) for mine, its in zip(validated, slow, strict=True)] == [True, True]
    assert not same(validated[0], validated[1])


def test_by_a_budget_the_share_is_the_clocks() -> None:
    ticks = iter(range(10_000))
    training, _ = trained(1, time_budget=30.0, clock=lambda: float(next(ticks)))
    assert training.lookahead is not None
    assert 3 <= training.lookahead.updates == training.progress.step < EPOCHS * STEPS
    assert same(dict(training.model.state_dict()), training.lookahead.model.state_dict())


def test_before_the_two_have_met_the_network_counts() -> None:
    training, validated = trained(1000)
    plain = state(network(), None)
    list(fit(plain, batches(), loss=nn.CrossEntropyLoss(), schedule=lambda done: 1.0, epochs=EPOCHS))
    assert same(validated[-1], plain.model.state_dict())
    assert same(dict(training.model.state_dict()), plain.model.state_dict())


def test_a_state_without_it_and_one_with_it_are_told_apart() -> None:
    model = network()
    with_it = state(model, Lookahead(model, every=5, decay=0.95, power=3.0)).state_dict()
    without = state(network(), None).state_dict()
    older = {name: part for name, part in without.items() if name != "lookahead"}
    state(network(), None).load_state_dict(older)
    with pytest.raises(RequestError, match="the checkpoint has lookahead, the config has none"):
        state(network(), None).load_state_dict(with_it)
    with pytest.raises(RequestError, match="the config has lookahead, the checkpoint has none"):
        state(model, Lookahead(model, every=5, decay=0.95, power=3.0)).load_state_dict(older)
    with_it["lookahead"]["updates"] = 7
    with pytest.raises(RequestError, match=r"'lookahead\.updates' is '7', expected at most the 0 steps"):
        state(model, Lookahead(model, every=5, decay=0.95, power=3.0)).load_state_dict(with_it)
