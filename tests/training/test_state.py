from typing import Any

import pytest
import torch
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.training.checkpoints import load_state, save_state
from cnnlab.training.ema import Ema
from cnnlab.training.state import TrainingState, load_weights

CPU = torch.device("cpu")


def state(width: int = 3, *, ema: bool = True, optimizer: str = "sgd") -> TrainingState:
    torch.manual_seed(width)
    model = nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width), nn.Linear(width, 2))
    group = {"params": list(model.parameters()), "names": ["…"], "lr": 0.1, "lr_base": 0.1}
    made = torch.optim.SGD([group], momentum=0.9) if optimizer == "sgd" else torch.optim.AdamW([group])
    return TrainingState(model, made, CPU, ema=Ema(model, decay=0.9) if ema else None)


def step(training: TrainingState) -> None:
    training.model(torch.randn(8, 2)).square().mean().backward()
    training.optimizer.step()
    training.optimizer.zero_grad()
    training.progress.step += 1
    training.sums.loss += 1.5
    training.sums.images += 8
    if training.ema:
        training.ema.update(training.model)


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


def test_a_state_that_is_read_back_goes_on_to_the_bit(tmp_path) -> None:
    first = state()
    for _ in range(3):
        step(first)
    save_state(tmp_path / "last.pt", first.state_dict())
    second = state()
    second.load_state_dict(load_state(tmp_path / "last.pt", CPU))
    assert equal(second.state_dict(), first.state_dict())
    random = torch.get_rng_state()
    for _ in range(3):
        step(first)
    torch.set_rng_state(random)
    for _ in range(3):
        step(second)
    assert equal(second.state_dict(), first.state_dict())


@pytest.mark.parametrize("key", ["format", "model", "optimizer", "ema", "scaler", "progress", "sums", "random"])
def test_each_part_is_needed(key: str) -> None:
    saved = state().state_dict()
    del saved[key]
    with pytest.raises(RequestError, match=f"not a checkpoint of cnnlab: it lacks {key}"):
        state().load_state_dict(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "a checkpoint of format 99; this version reads format 1"),
        ({"ema": None}, "a checkpoint of another config: the config has ema, the checkpoint has none"),
        ({"scaler": {"scale": 1.0}}, "a checkpoint of another config: the checkpoint has scaler, the config has none"),
        ({"progress": {"epoch": 1, "moon": 2}}, "a damaged checkpoint: its progress: it has an unknown 'moon'"),
        ({"progress": {"epoch": "x"}}, "a damaged checkpoint: its progress: 'epoch' is 'x', expected a whole number"),
        ({"progress": 3}, "a damaged checkpoint: its progress: it is '3', expected a mapping"),
        ({"sums": {}}, "a checkpoint that does not fit this config, or a damaged one"),
        ({"random": {}}, "a checkpoint that does not fit this config, or a damaged one"),
        (
            {"optimizer": {"state": {}, "param_groups": []}},
            "does not fit this config, .* different number of parameter groups",
        ),
    ],
)
def test_what_does_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        state().load_state_dict(state().state_dict() | changes)


def test_a_checkpoint_of_another_model() -> None:
    with pytest.raises(RequestError) as caught:
        state(3).load_state_dict(state(4).state_dict())
    assert str(caught.value) == (
        "a checkpoint of another model: 7 have another shape (first 0.weight: [4, 2] for [3, 2])"
    )
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    with pytest.raises(RequestError) as caught:
        load_weights(model, {"0.weight": torch.zeros(3, 2), "x": torch.zeros(1), "0.bias": torch.zeros(4)})
    assert str(caught.value) == (
        "a checkpoint of another model: 2 weights are missing (first 1.bias); "
        "1 are unknown to this model (first x); 1 have another shape (first 0.bias: [4] for [3])"
    )


def test_the_averages_are_evaluated_where_there_are_some() -> None:
    with_ema, without = state(), state(ema=False)
    assert with_ema.evaluated_model is with_ema.ema.model
    assert without.evaluated_model is without.model
