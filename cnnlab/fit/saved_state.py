"""A saved training state held against the one that the config builds, before any of it is used.

Every name, type, shape and range is looked at: torch takes most of a wrong state without a word, and fails at a later
step or goes on with wrong numbers. What the optimizer of the config would keep is found out by one step of its twin on
tensors without values, so this knows no optimizer by name.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnlab.core.errors import RequestError

LARGEST = 2.0**63
"""Whole numbers beyond it do not fit into a tensor, and no number of a training comes near."""

SHOWN = 40
"""Letters of a wrong value that a message quotes."""


@dataclass(frozen=True)
class EpochPlan:
    """How an epoch is divided: `ends[b]` images have been seen after batch b, `accumulate` batches make a step."""

    ends: Sequence[int]
    accumulate: int

    def steps(self, batches: int) -> int:
        """Optimizer steps of so many batches."""
        return math.ceil(batches / self.accumulate)


def check_saved(
    saved: Mapping[str, Any],
    fresh: Mapping[str, Any],
    model: nn.Module,
    optimizer: Optimizer,
    device: torch.device,
    plan: EpochPlan | None = None,
) -> None:
    """Refuse a `saved` state from which a training with the state `fresh` of its config cannot go on.

    model, optimizer: those of the config. plan: of the run's epochs, where it is known; how far `saved` has come must
    fit it.

    Raises: RequestError with the first key that is wrong, its value, and what was expected.
    """
    if foreign := sorted(set(map(str, saved)) - set(fresh)):
        raise RequestError(f"a damaged checkpoint: it has an unknown '{foreign[0]}'")
    for part in ("ema", "lookahead", "scaler"):
        if is_there(saved[part]) != is_there(fresh[part]):
            has, has_not = ("the config", "the checkpoint") if fresh[part] else ("the checkpoint", "the config")
            raise RequestError(f"a checkpoint of another config: {has} has {part}, {has_not} has none")
    check_weights(saved["model"], fresh["model"], "model")
    for part in ("ema", "lookahead"):
        if fresh[part]:
            averages = mapping(saved[part], part)
            check_weights(averages.get("model"), fresh[part]["model"], f"{part}.model")
        check_like(saved[part], fresh[part], part)
    _check_scaler(saved["scaler"], fresh["scaler"])
    _check_progress(saved["progress"], fresh["progress"])
    check_like(saved["sums"], fresh["sums"], "sums")
    _check_random(saved["random"], fresh["random"], device)
    _check_optimizer(saved, fresh, model, optimizer)
    _check_amounts(saved, plan)
    for part in ("model", "ema", "lookahead"):
        check_finite(saved[part], fresh[part], part)
    check_finite(saved["optimizer"]["state"], {}, "optimizer.state")


def _check_progress(saved: Any, own: Mapping[str, Any]) -> None:
    progress = mapping(saved, "progress")
    without_best = {**progress, "best_metric": None} if "best_metric" in progress else progress
    check_like(without_best, {**own, "best_metric": None}, "progress")
    best = progress["best_metric"]
    if best is not None:
        check_like(best, 1.0, "progress.best_metric")
        if best > 1:
            damaged("progress.best_metric", best, "an accuracy from 0 to 1")
    for name in ("best_epoch", "stale_epochs"):
        if progress[name] > progress["epoch"]:
            damaged(f"progress.{name}", progress[name], f"at most the {progress['epoch']} epochs that are done")


def _check_scaler(scaler: Any, own: Mapping[str, Any] | None) -> None:
    """Its scale and what it has counted are the run's; how they change is the program's."""
    check_like(scaler, own, "scaler")
    mine = own or {}
    for name in mine:
        if name == "scale" and not scaler[name] > 0:
            damaged("scaler.scale", scaler[name], "more than 0")
        if name not in ("scale", "_growth_tracker") and not same(scaler[name], mine[name]):
            damaged(f"scaler.{name}", scaler[name], shown(mine[name]))


def _check_amounts(saved: Mapping[str, Any], plan: EpochPlan | None) -> None:
    """What the parts say of how far the run has come agrees, and fits its epochs."""
    progress, sums = saved["progress"], saved["sums"]
    step = progress["step"]
    if not 0 <= float(sums["correct"]) <= sums["images"]:
        damaged("sums.correct", sums["correct"], f"from 0 to the {sums['images']} images seen")
    if not math.isfinite(float(sums["loss"])):
        damaged("sums.loss", sums["loss"], "a finite number")
    if plan is not None:
        _check_plan(progress, sums, plan)
    if saved["ema"] and not saved["ema"]["updates"] <= saved["ema"]["steps"] <= step:
        damaged("ema.steps", saved["ema"]["steps"], f"from its {saved['ema']['updates']} updates to step {step}")
    if saved["lookahead"] and saved["lookahead"]["updates"] > step:
        damaged("lookahead.updates", saved["lookahead"]["updates"], f"at most the {step} steps that are done")


def _check_plan(progress: Mapping[str, Any], sums: Mapping[str, Any], plan: EpochPlan) -> None:
    epoch, batch, step = (progress[name] for name in ("epoch", "batch", "step"))
    count = len(plan.ends)
    if batch > count or (batch < count and batch % plan.accumulate):
        damaged("progress.batch", batch, f"a multiple of {plan.accumulate} up to the {count} batches of an epoch")
    seen = plan.ends[batch - 1] if batch else 0
    if batch and sums["images"] != seen:
        damaged("sums.images", sums["images"], f"{seen}, the images of {batch} batches")
    # a time budget may have ended an epoch early, after one step at least
    least, most = epoch + bool(batch), epoch * plan.steps(count) + plan.steps(batch)
    if not least <= step <= most:
        damaged("progress.step", step, f"{least} to {most} after {epoch} epochs and {batch} batches")


def _check_random(saved: Any, own: Mapping[str, Any], device: torch.device) -> None:
    states = dict(mapping(saved, "random"))
    others = states.pop("ranks", [])
    if not isinstance(others, list):
        damaged("random.ranks", others, "a list")
    first = {name: value for name, value in own.items() if name != "ranks"}
    _check_random_of_one(states, first, device, "random")
    for number, other in enumerate(others):
        _check_random_of_one(other, first, device, f"random.ranks.{number}")


def _check_random_of_one(saved: Any, own: Mapping[str, Any], device: torch.device, place: str) -> None:
    """Of one process; a run may go on with another number of them, and of GPUs."""
    states = mapping(saved, place)
    cuda = states.get("cuda")
    if not isinstance(cuda, list):
        damaged(f"{place}.cuda", cuda, "a list")
    check_like({**states, "cuda": None}, {**own, "cuda": None}, place)
    _check_generator(states["cpu"], torch.Generator(), f"{place}.cpu")
    for number, state in enumerate(cuda):
        path = f"{place}.cuda.{number}"
        if not isinstance(state, Tensor) or state.dtype != torch.uint8:
            damaged(path, state, "the state of a generator")
        if device.type == "cuda":
            _check_generator(state, torch.Generator(device), path)


def _check_generator(state: Tensor, generator: torch.Generator, path: str) -> None:
    try:
        generator.set_state(state.cpu())
    except RuntimeError:
        damaged(path, state, "the state of a generator")


def _check_optimizer(
    saved: Mapping[str, Any], fresh: Mapping[str, Any], model: nn.Module, optimizer: Optimizer
) -> None:
    kept = mapping(saved["optimizer"], "optimizer")
    for name in ("state", "param_groups"):
        if name not in kept:
            raise RequestError(f"a damaged checkpoint: it lacks 'optimizer.{name}'")
    _check_groups(kept["param_groups"], fresh["optimizer"]["param_groups"], optimizer)
    states = mapping(kept["state"], "optimizer.state")
    expected = stepped(optimizer)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for number in states:
        if number not in range(len(parameters)):
            raise RequestError(f"a damaged checkpoint: it has an unknown 'optimizer.state.{number}'")
    for number, parameter in enumerate(parameters):
        path, name = f"optimizer.state.{number}", names[id(parameter)]
        wanted = expected.get(number, {})
        if number in states:
            check_like(states[number], wanted, path)
            for key, value in states[number].items():
                if isinstance(value, Tensor) and not value.dim():
                    counted = float(value)
                    if not 0 <= counted <= saved["progress"]["step"]:
                        damaged(f"{path}.{key}", value, f"from 0 to step {saved['progress']['step']}")
        elif (
            wanted
            and parameter.requires_grad
            and saved["progress"]["step"]
            and not torch.equal(saved["model"][name], fresh["model"][name])
        ):
            # only what no step has changed yet, because it had no gradient or began frozen, may have none
            raise RequestError(f"a damaged checkpoint: it lacks '{path}', what the optimizer keeps of {name}")


def _check_groups(groups: Any, own: Sequence[Mapping[str, Any]], optimizer: Optimizer) -> None:
    """The options of the config hold; the checkpoint may only say the same. The learning rate is the schedule's."""
    if not isinstance(groups, list) or len(groups) != len(own):
        damaged("optimizer.param_groups", groups, f"a list of {len(own)} parameter groups")
    for number, (group, mine) in enumerate(zip(groups, own, strict=True)):
        path = f"optimizer.param_groups.{number}"
        options = mapping(group, path)
        if foreign := sorted(str(name) for name in options if name not in mine):
            kind = type(optimizer).__name__
            raise RequestError(f"a checkpoint of another optimizer: {kind} has no {', '.join(foreign)}")
        for name in ("params", "lr"):
            if name not in options:
                raise RequestError(f"a damaged checkpoint: it lacks '{path}.{name}'")
        check_like(options["lr"], 1.0, f"{path}.lr")
        for name, value in options.items():
            if name != "lr" and not same(value, mine[name]):
                damaged(f"{path}.{name}", value, f"{shown(mine[name])} as in the config")


def stepped(optimizer: Optimizer) -> dict[int, dict[str, Any]]:
    """What a step of `optimizer` leaves for each of its parameters; tensors have shapes and no values."""
    twins = []
    for group in optimizer.param_groups:
        parameters = [torch.empty_like(parameter, device="meta") for parameter in group["params"]]
        for parameter in parameters:
            parameter.grad = torch.empty_like(parameter)
        twins.append({**group, "params": parameters})
    twin = copy(optimizer)
    twin.__setstate__({"state": defaultdict(dict), "param_groups": twins})
    twin.step()
    state: dict[int, dict[str, Any]] = twin.state_dict()["state"]
    return state


def check_weights(weights: Any, own: Mapping[str, Tensor], path: str = "") -> None:
    """Refuse `weights` that are not tensors of the names, shapes and types of `own`.

    Raises: RequestError when names or shapes differ, with the first of each kind.
    """
    tensors = mapping(weights, path or "weights")
    missing = sorted(set(own) - set(tensors))
    foreign = sorted(map(str, set(tensors) - set(own)))
    for name in own:
        if name in tensors and not isinstance(tensors[name], Tensor):
            damaged(f"{path}.{name}" if path else name, tensors[name], _in_words(own[name]))
    other = [name for name in own if name in tensors and own[name].shape != tensors[name].shape]
    details = []
    if missing:
        details.append(f"{len(missing)} weights are missing (first {missing[0]})")
    if foreign:
        details.append(f"{len(foreign)} are unknown to this model (first {foreign[0]})")
    if other:
        name = other[0]
        shapes = f"{list(tensors[name].shape)} for {list(own[name].shape)}"
        details.append(f"{len(other)} have another shape (first {name}: {shapes})")
    if details:
        raise RequestError(f"a checkpoint of another model: {'; '.join(details)}")
    for name in own:
        check_like(tensors[name], own[name], f"{path}.{name}" if path else name)


def check_like(value: Any, own: Any, path: str) -> None:
    """`value` has the names, types and shapes of `own` all the way down; numbers are finite and not negative."""
    if isinstance(own, Mapping):
        entries = mapping(value, path)
        for name in own:
            if name not in entries:
                raise RequestError(f"a damaged checkpoint: it lacks '{path}.{name}'")
            check_like(entries[name], own[name], f"{path}.{name}")
        if foreign := [name for name in entries if name not in own]:
            raise RequestError(f"a damaged checkpoint: it has an unknown '{path}.{foreign[0]}'")
    elif isinstance(own, Tensor):
        plain = isinstance(value, Tensor) and value.layout is torch.strided and not value.is_meta
        if not plain or value.dtype != own.dtype or value.shape != own.shape:
            damaged(path, value, _in_words(own))
    elif isinstance(own, bool) or own is None or isinstance(own, str):
        if type(value) is not type(own):
            damaged(path, value, {bool: "true or false", str: "a text"}.get(type(own), "nothing"))
    elif type(value) is not type(own) or not 0 <= value < LARGEST:
        damaged(path, value, f"a {'whole number' if isinstance(own, int) else 'number'} of at least 0")


def check_finite(value: Any, own: Any, path: str) -> None:
    """No NaN and no infinity where `own` has none: the next step would spread it, and blame the learning rate."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            check_finite(part, own.get(name, {}), f"{path}.{name}")
    elif isinstance(value, Tensor) and not _is_finite(value) and not (isinstance(own, Tensor) and not _is_finite(own)):
        raise RequestError(f"a damaged checkpoint: '{path}' holds numbers that are not finite, so no step can follow")


def _is_finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())


def same(value: Any, own: Any) -> bool:
    """Whether two options are of one type and equal, lists item by item."""
    if isinstance(own, list | tuple):
        return type(value) is type(own) and len(value) == len(own) and all(map(same, value, own))
    return type(value) is type(own) and not isinstance(value, Tensor) and bool(value == own)


def is_there(value: Any) -> bool:
    """Whether a part of a state was kept: neither None nor an empty mapping."""
    return value is not None and not (isinstance(value, Mapping) and not value)


def mapping(value: Any, path: str) -> Mapping[Any, Any]:
    """`value`, where it is a mapping.

    Raises: RequestError otherwise.
    """
    if not isinstance(value, Mapping):
        damaged(path, value, "a mapping")
    return value


def _in_words(tensor: Tensor) -> str:
    return f"a tensor of {list(tensor.shape)} ({str(tensor.dtype).removeprefix('torch.')})"


def shown(value: Any) -> str:
    """A wrong value in a message."""
    if isinstance(value, Tensor):
        return f"'{value.item()}'" if value.numel() == 1 and value.layout is torch.strided else _in_words(value)
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple) and len(str(value)) > SHOWN:
        return f"a list of {len(value)}"
    text = str(value)
    return f"'{text}'" if len(text) <= SHOWN else f"'{text[: SHOWN - 1]}…'"


def damaged(path: str, value: Any, expected: str) -> NoReturn:
    """Raises: RequestError with the place, the value there and what was expected."""
    raise RequestError(f"a damaged checkpoint: '{path}' is {shown(value)}, expected {expected}")
