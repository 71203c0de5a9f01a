"""A saved training state held against the one that the config builds, before any of it is used.

Every name, type, shape and range is looked at: torch takes most of a wrong state without a word, and fails at a later
step or goes on with wrong numbers. What the optimizer of the config would keep is found out by one step of its twin on
tensors without values, so this knows no optimizer by name.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnlab.core.errors import RequestError
from cnnlab.fit.saved_values import check_finite, check_like, check_weights, damaged, is_there, mapping, same, shown


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
    for part in ("ema", "scaler"):
        if is_there(saved[part]) != is_there(fresh[part]):
            has, has_not = ("the config", "the checkpoint") if fresh[part] else ("the checkpoint", "the config")
            raise RequestError(f"a checkpoint of another config: {has} has {part}, {has_not} has none")
    check_weights(saved["model"], fresh["model"], "model")
    if fresh["ema"]:
        averages = mapping(saved["ema"], "ema")
        check_weights(averages.get("model"), fresh["ema"]["model"], "ema.model")
        check_like(averages, fresh["ema"], "ema")
    _check_scaler(saved["scaler"], fresh["scaler"])
    _check_progress(saved["progress"], fresh["progress"])
    check_like(saved["sums"], fresh["sums"], "sums")
    _check_random(saved["random"], fresh["random"], device)
    _check_optimizer(saved, fresh, model, optimizer)
    _check_amounts(saved, plan)
    for part in ("model", "ema"):
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
    states = mapping(saved, "random")
    cuda = states.get("cuda")
    if not isinstance(cuda, list):
        damaged("random.cuda", cuda, "a list")
    # a run may go on where there is another number of GPUs
    check_like({**states, "cuda": None}, {**own, "cuda": None}, "random")
    _check_generator(states["cpu"], torch.Generator(), "random.cpu")
    for number, state in enumerate(cuda):
        path = f"random.cuda.{number}"
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
        elif wanted and saved["progress"]["step"] and not torch.equal(saved["model"][name], fresh["model"][name]):
            # only what no step has changed yet, because it had no gradient, may have none
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
    make: Any = type(optimizer)
    twin: Optimizer = make(twins)  # its options stand in the groups
    twin.step()
    state: dict[int, dict[str, Any]] = twin.state_dict()["state"]
    return state
