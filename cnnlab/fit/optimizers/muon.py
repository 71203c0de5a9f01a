"""Muon: steps of filters are made orthogonal; what is no filter is left to another optimizer."""

from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from math import sqrt
from typing import Annotated, Any, Literal, TypeAlias

import torch
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import Decay, Fraction, Rate
from cnnlab.fit.freezing import head_of
from cnnlab.fit.optimizers.orthogonal import EPS, MOST_STEPS, Coefficients, orthogonalized
from cnnlab.fit.parameter_groups import Groups, LearningParameters
from cnnlab.fit.registry import OPTIMIZERS, OptimizerChoice

AXES = 4
"""Of a filter bank: outputs, inputs of its group, height, width."""

STEPS = "newton_schulz_steps"
"""The option of a group that has filters in it, and of no other."""

Adjustment: TypeAlias = Literal["none", "original", "match_rms_adamw"]


@OPTIMIZERS.register("muon")
def muon(
    parameters: LearningParameters,
    *,
    lr: Rate = 0.24,
    momentum: Fraction = 0.6,
    nesterov: bool = True,
    weight_decay: Decay = 0.0,
    renormalize: bool = True,
    steps: Annotated[int, Field(ge=1, le=10)] = 3,
    coefficients: Coefficients = "jordan",
    adjust: Adjustment = "none",
    rest: OptimizerChoice = "sgd",  # type: ignore[assignment]
) -> Optimizer:
    """Filters move by orthogonal steps: v ← momentum·v + g; w ← w − lr·U·Vᵀ, where U·S·Vᵀ is g + momentum·v.

    Filters are the weights of four axes in every layer but the head, as matrices (outputs, inputs·height·width). U·Vᵀ
    comes of `steps` Newton–Schulz iterations with the `coefficients` of one of two sources (those of hiverge are for 3
    steps at most), in float32, on a GPU in bfloat16. Without `nesterov` it is that of v. `renormalize` first scales the
    filters of a layer to the norm √outputs, as airbench does, so that a decay has no effect. `adjust` makes the step
    longer, as torch's Muon does under these names: by √max(1, outputs/inputs), or 0.2·√max(outputs, inputs).

    All else, the head, biases and norms, is left to the optimizer `rest`, with a rate and a decay of its own. The
    schedule moves both rates, `parameter_groups` hold for both, and the rate that is told is that of the filters.
    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; KellerJordan/cifar10-airbench; Liu et al.
    2025, arXiv:2502.16982 (match_rms_adamw).
    """
    if steps > MOST_STEPS[coefficients]:
        raise RequestError(
            f"coefficients: {coefficients} are for {MOST_STEPS[coefficients]} steps at most; jordan for 10"
        )
    if rest.name == "muon":
        raise RequestError("rest: muon has no filters left to move; sgd or adamw takes all else")
    head, _ = head_of(parameters.model)
    filters = {
        name
        for name, parameter in parameters.named.items()
        if parameter.ndim == AXES and not name.startswith(f"{head}.")
    }
    if not filters:
        raise RequestError("no filter learns: no layer but the head has a kernel that is not frozen; sgd or adamw do")
    groups = parameters.only(filters).groups(lr=lr, weight_decay=weight_decay)
    for group in groups:
        group.update(momentum=momentum, nesterov=nesterov, renormalize=renormalize, coefficients=coefficients)
        group.update({STEPS: steps, "adjust": adjust})
    others = parameters.only(parameters.named.keys() - filters)
    return Muon(groups, rest.build(parameters=others) if others.named else None)


class Muon(Optimizer):
    """Orthogonal steps for groups of filters, and in the same groups and state those of another optimizer."""

    def __init__(self, filters: Groups, rest: Optimizer | None) -> None:
        """Join both; the groups of `rest` are shared with it from now on.

        Arguments:
            filters: groups with the options of `muon`.
            rest: the optimizer of all other parameters, if there are any.
        """
        self.rest = rest
        super().__init__([*filters, *(rest.param_groups if rest else [])], {})
        if rest:
            rest.state = self.state

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "rest": self.rest}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take groups and state, of a checkpoint or of another optimizer, for the rest as well."""
        super().__setstate__(state)
        if self.rest:
            self.rest = copy(self.rest)
            own = [group for group in self.param_groups if STEPS not in group]
            self.rest.__setstate__({"state": self.state, "param_groups": own})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            if STEPS in group:
                self._move(group)
        if self.rest:
            self.rest.step()

    def _move(self, group: dict[str, Any]) -> None:
        """Move the filters of a group; those of equal shape are made orthogonal together."""
        alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for filters in group["params"]:
            if filters.grad is not None:
                step = self._accelerated(filters, group).reshape(len(filters), -1)
                alike[step.shape[0], step.shape[1]].append((filters, step))
        for pairs in alike.values():
            _take_steps(pairs, group)

    def _accelerated(self, filters: Tensor, group: dict[str, Any]) -> Tensor:
        """The gradient with the momentum of the steps before."""
        state, gradient = self.state[filters], filters.grad
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        velocity: Tensor = state["momentum_buffer"]
        velocity.mul_(group["momentum"]).add_(gradient)
        return gradient.add(velocity, alpha=group["momentum"]) if group["nesterov"] else velocity


def _take_steps(pairs: Sequence[tuple[Tensor, Tensor]], group: dict[str, Any]) -> None:
    """Move filters of one shape, each with its step as a matrix."""
    (outputs, inputs), dtype = pairs[0][1].shape, torch.bfloat16 if pairs[0][0].is_cuda else None
    found = orthogonalized(
        torch.stack([step for _, step in pairs]), steps=group[STEPS], coefficients=group["coefficients"], dtype=dtype
    )
    rate = group["lr"] * _adjusted(group["adjust"], outputs, inputs)
    for (filters, _), step in zip(pairs, found, strict=True):
        if group["renormalize"]:
            filters.mul_(sqrt(outputs) / filters.norm().clamp(min=EPS))
        if group["weight_decay"]:
            filters.mul_(1 - group["lr"] * group["weight_decay"])
        filters.add_(step.reshape(filters.shape), alpha=-rate)


def _adjusted(adjust: Adjustment, outputs: int, inputs: int) -> float:
    """By how much a step of matrices of this shape is longer."""
    factors = {
        "none": 1.0,
        "original": sqrt(max(1.0, outputs / inputs)),
        "match_rms_adamw": 0.2 * sqrt(max(outputs, inputs)),
    }
    return factors[adjust]
