import copy
import functools
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.fit.checkpoints import load_state, save_state
from cnnlab.fit.progress import Progress
from cnnlab.fit.saved_state import EpochPlan
from cnnlab.fit.state import Ema, Sums, TrainingState, load_weights

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
        ({"progress": {"epoch": 1}}, "a damaged checkpoint: it lacks 'progress.batch'"),
        ({"progress": 3}, "a damaged checkpoint: 'progress' is '3', expected a mapping"),
        ({"sums": {}}, "a damaged checkpoint: it lacks 'sums.loss'"),
        ({"random": {}}, "a damaged checkpoint: 'random.cuda' is 'None', expected a list"),
        (
            {"optimizer": {"state": {}, "param_groups": []}},
            "a damaged checkpoint: 'optimizer.param_groups' is '\\[\\]', expected a list of 1 parameter groups",
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


def trained(optimizer: str) -> TrainingState:
    training = state(optimizer=optimizer)
    for _ in range(3):
        step(training)
    training.progress = Progress(epoch=1, batch=1, step=3, best_metric=0.5, best_epoch=1, seconds=1.0, elapsed=2.0)
    training.sums = Sums(torch.tensor(1.5), torch.tensor(3.0), images=8, seconds=0.1)
    return training


DELETED = object()
PLAN = EpochPlan(ends=(8, 16), accumulate=1)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a state."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, part in inner:
        yield from paths(part, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """`value` with `new` at `path`, or nothing there; containers on the way are new ones."""
    if not path:
        return new
    key, *rest = path
    if not rest and new is DELETED:
        items = dict(value) if isinstance(value, dict) else dict(enumerate(value))
        del items[key]
        return items if isinstance(value, dict) else type(value)(items.values())
    if isinstance(value, dict):
        return {**value, key: changed(value[key], tuple(rest), new)}
    return type(value)(changed(part, tuple(rest), new) if i == key else part for i, part in enumerate(value))


def mutations(value: Any) -> list[Any]:
    found = [DELETED, None, "x", -1]
    if isinstance(value, torch.Tensor):
        found += [value.double(), value * math.nan, value.new_zeros(7)]
        found += [value.to_sparse() if value.dim() else value - 1e6]
    elif isinstance(value, int | float):
        found += [True, value - 1000, 10**30, math.nan, math.inf, [value], torch.tensor(value), str(value)]
    else:
        found += [0, [], {}, {"x": 1}, [torch.zeros(2)], torch.zeros(2)]
    return found


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_whatever_is_changed_is_refused_before_anything_is_taken_over_or_does_no_harm(optimizer: str) -> None:
    """Each place of a checkpoint with something else in it; the next step must not be the first to notice."""
    saved, fresh = trained(optimizer).state_dict(), state(optimizer=optimizer)
    before, images = copy.deepcopy(fresh.state_dict()), torch.randn(8, 2)
    places = list(paths(saved))
    assert len(places) > 75
    taken, messages = set(), []
    for path in places[1:]:
        value = functools.reduce(lambda part, key: part[key], path, saved)
        if path[:2] == ("optimizer", "state") and path[2:3] > (1,):
            continue  # one parameter is as good as another
        for new in mutations(value):
            if type(new) is type(value) and str(new) == str(value):
                continue
            try:
                fresh.load_state_dict(changed(saved, path, new), PLAN)
            except RequestError as error:
                messages.append(str(error))
                continue
            taken.add(path)
            fresh.model(images).square().mean().backward()
            fresh.optimizer.step()
            assert all(bool(p.isfinite().all()) for p in fresh.model.parameters()), path
            fresh = state(optimizer=optimizer)
    assert not [message for message in messages if "\n" in message]
    assert not [message for message in messages if "that does not fit" in message]  # found by torch, too late
    assert equal(fresh.state_dict() | {"random": 0}, before | {"random": 0})
    # an option that is missing is the config's, and older checkpoints lack what the config has not either; nothing else
    # may be wrong and pass
    harmless = {"optimizer", "progress", "sums", "lookahead"}
    assert {path[0] for path in taken} <= harmless
    assert saved["lookahead"] is None
    kept = {path for path in taken if path[0] == "optimizer" and path[1] != "param_groups"}
    assert kept <= {("optimizer", "state", 1)}  # a bias before a batch normalisation, which no step changes
    assert {path[1] for path in taken if path[0] == "sums"} <= {"loss", "seconds", "mixed", "correct"}
    assert {path[1] for path in taken if path[0] == "progress"} <= {"seconds", "elapsed", "best_metric", "step"}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("progress", "epoch"), -5, "'progress.epoch' is '-5', expected a whole number of at least 0"),
        (("progress", "epoch"), True, "'progress.epoch' is 'True', expected a whole number of at least 0"),
        (("progress", "step"), 0, "'progress.step' is '0', expected 2 to 3 after 1 epochs and 1 batches"),
        (("progress", "batch"), 3, "'progress.batch' is '3', expected a multiple of 1 up to the 2 batches of an epoch"),
        (("progress", "best_metric"), 5.0, "'progress.best_metric' is '5.0', expected an accuracy from 0 to 1"),
        (("progress", "best_metric"), math.nan, "'progress.best_metric' is 'nan', expected a number of at least 0"),
        (("progress", "best_epoch"), 9, "'progress.best_epoch' is '9', expected at most the 1 epochs that are done"),
        (("progress", "moon"), 2, "it has an unknown 'progress.moon'"),
        (("sums", "images"), 0, "'sums.correct' is '3.0', expected from 0 to the 0 images seen"),
        (("sums", "images"), 9, "'sums.images' is '9', expected 8, the images of 1 batches"),
        (("ema", "steps"), 99, "'ema.steps' is '99', expected from its 3 updates to step 3"),
        (
            ("optimizer", "state", 0, "momentum_buffer"),
            0,
            "'optimizer.state.0.momentum_buffer' is '0', expected a tensor of [3, 2] (float32)",
        ),
        (("optimizer", "state", 0), DELETED, "it lacks 'optimizer.state.0', what the optimizer keeps of 0.weight"),
        (
            ("optimizer", "param_groups", 0, "momentum"),
            0.5,
            "'optimizer.param_groups.0.momentum' is '0.5', expected '0.9' as in the config",
        ),
        (("model", "0.bias"), 3, "'model.0.bias' is '3', expected a tensor of [3] (float32)"),
        (("random", "cpu"), 3, "'random.cpu' is '3', expected a tensor of [5056] (uint8)"),
    ],
)  # fmt: skip
def test_the_key_the_value_and_what_was_expected(path: tuple[Any, ...], value: Any, message: str) -> None:
    saved = trained("sgd").state_dict()
    if path[-1] == "moon":
        saved["progress"]["moon"] = 1
    with pytest.raises(RequestError) as caught:
        state().load_state_dict(changed(saved, path, value), PLAN)
    assert str(caught.value) == f"a damaged checkpoint: {message}"


def test_a_parameter_without_gradients_has_no_state_and_is_taken() -> None:
    def make() -> TrainingState:
        torch.manual_seed(0)
        model = nn.ModuleDict({"used": nn.Linear(2, 2), "unused": nn.Linear(2, 2)})
        optimizer = torch.optim.SGD([{"params": list(model.parameters()), "lr": 0.1}], momentum=0.9)
        return TrainingState(model, optimizer, CPU)

    first = make()
    first.model["used"](torch.ones(1, 2)).sum().backward()  # type: ignore[index]
    first.optimizer.step()
    first.progress.step = 1
    second = make()
    second.load_state_dict(first.state_dict())
    assert equal(second.state_dict(), first.state_dict())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scale", -1.0, "'scaler.scale' is '-1.0', expected a number of at least 0"),
        ("scale", 0.0, "'scaler.scale' is '0.0', expected more than 0"),
        ("scale", math.inf, "'scaler.scale' is 'inf', expected a number of at least 0"),
        ("growth_factor", 0.5, "'scaler.growth_factor' is '0.5', expected '2.0'"),
        ("_growth_tracker", "x", "'scaler._growth_tracker' is 'x', expected a whole number of at least 0"),
    ],
)
def test_the_scaler_of_half_precision(name: str, value: object, message: str) -> None:
    """One for the processor stands in for a GPU's: the same class and the same state."""

    def make() -> TrainingState:
        training = state(ema=False)
        training.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        return training

    first = make()
    assert first.scaler
    first.scaler.scale(first.model(torch.randn(8, 2)).square().mean()).backward()
    first.scaler.step(first.optimizer)
    first.scaler.update()
    first.progress.step = 1
    saved, second = first.state_dict(), make()
    with pytest.raises(RequestError) as caught:
        second.load_state_dict(changed(saved, ("scaler", name), value))
    assert str(caught.value) == f"a damaged checkpoint: {message}"
    second.load_state_dict(saved)
    assert equal(second.state_dict(), saved)
