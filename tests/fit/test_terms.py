from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.data.batches import ChannelStatistics, TrainingBatches
from cnnlab.fit import catalog  # noqa: F401
from cnnlab.fit.fit import StepDone, fit
from cnnlab.fit.parameter_groups import ParameterGroup, learning_parameters
from cnnlab.fit.state import TrainingState
from cnnlab.fit.terms import AS_ALL, terms_of

RULES = (
    ParameterGroup(match=["0.weight"], frozen=True),
    ParameterGroup(match=["0.bias"], until=1.5, schedule=component("schedule", "triangular", rise=0, end=0.0)),
    ParameterGroup(match=["2.*"], schedule=component("schedule", "constant")),
)
STEPS = 4
"""Batches of an epoch."""


def batches() -> TrainingBatches:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (8 * STEPS, 1, 4, 4), generator=generator, dtype=torch.uint8)
    return TrainingBatches(
        images,
        torch.randint(3, (8 * STEPS,), generator=generator),
        batch_size=8,
        seed=3,
        augmentations=[],
        statistics=ChannelStatistics((0.4,), (0.25,)),
        classes=3,
    )


def state(epochs: int = 3, *rules: ParameterGroup, optimizer: str = "sgd") -> TrainingState:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.Flatten(), nn.Linear(16, 3))
    parameters = learning_parameters(model, rules)
    made = component("optimizer", optimizer, lr=0.1).build(parameters=parameters)
    terms = terms_of(made, parameters, epochs=epochs)
    return TrainingState(model, made, torch.device("cpu"), terms=terms)


def steps(training: TrainingState, *, epochs: int = 3) -> Iterator[StepDone]:
    facts = fit(training, batches(), loss=nn.CrossEntropyLoss(), schedule=lambda done: 1 - done, epochs=epochs)
    return (fact for fact in facts if isinstance(fact, StepDone))


def kept(training: TrainingState) -> list[Tensor]:
    return [value.clone() for value in training.model.state_dict().values()]


def test_what_learns_until_then_is_still_afterwards_and_costs_no_backward_pass() -> None:
    training, rates, biases, backward = state(3, *RULES), [], [], []
    first = training.model[0]

    def watch(module: nn.Module, images: object, output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(lambda gradient: backward.append(training.progress.step))

    first.register_forward_hook(watch)
    for _ in steps(training):
        rates.append([group["lr"] for group in training.optimizer.param_groups])
        biases.append(first.bias.detach().clone())
    whole, own, constant = zip(*rates, strict=True)
    assert whole == pytest.approx([0.1 * (1 - step / 12) for step in range(12)])
    assert own == pytest.approx([0.1 * max(0.0, 1 - step / 6) for step in range(12)])  # 1.5 epochs are 6 steps
    assert constant == pytest.approx([0.1] * 12)
    changed = [not torch.equal(one, other) for one, other in pairwise(biases)]
    assert changed == [True] * 5 + [False] * 6
    assert first.bias.grad is None
    assert backward == list(range(6))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_stop_before_and_after_it_goes_on_to_the_bit(optimizer: str) -> None:
    whole = state(3, *RULES, optimizer=optimizer)
    list(steps(whole))
    for stop in (3, 6, 7):
        first = state(3, *RULES, optimizer=optimizer)
        for fact in steps(first):
            if fact.step == stop:
                break
        second = state(3, *RULES, optimizer=optimizer)
        second.load_state_dict(first.state_dict())
        list(steps(second))
        assert all(map(torch.equal, kept(second), kept(whole)))


def test_a_training_that_ends_before_and_one_without_terms() -> None:
    short, endless = (state(1, ParameterGroup(match=["0.bias"], until=until)) for until in (1.5, 900))
    for training in (short, endless):
        list(steps(training, epochs=1))
    assert all(map(torch.equal, kept(short), kept(endless)))
    assert short.model[0].bias.requires_grad
    assert not state().terms
    assert [state(3, *RULES).terms.told(number) for number in range(3)] == [
        "", ", until epoch 1.5, triangular", ", constant"
    ]  # fmt: skip
    assert AS_ALL.told(0) == ""


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="what is frozen never learns; leave out frozen, or"):
        ParameterGroup(match=["*"], frozen=True, until=1)
    warmed = ParameterGroup(match=["*"], until=0.5, schedule=component("schedule", "cosine", warmup=1))
    with pytest.raises(RequestError, match=r"warmup of 1 epochs must be shorter than the 0\.5 epochs"):
        state(3, warmed)
