"""Optimizers by name (torch's own, their options as torch names them), their parameter groups, and clipping."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import Decay, Fraction, PositiveNumber, Rate
from cnnlab.core.registry import Section
from cnnlab.fit.freezing import Freezing, depths
from cnnlab.fit.registry import CLIPPINGS, OPTIMIZERS

Groups = list[dict[str, Any]]


Clipping = Callable[[Sequence[nn.Parameter]], None]


@OPTIMIZERS.register("sgd")
def sgd(
    groups: Groups,
    *,
    lr: Rate = 0.1,
    momentum: Fraction = 0.9,
    weight_decay: Decay = 0.0,
    nesterov: bool = False,
) -> Optimizer:
    """Stochastic gradient descent: v ← momentum·v + (g + weight_decay·w); w ← w − lr·v.

    With `nesterov` the step is g + momentum·v (Sutskever 2013). The decay is added to the gradient, as in
    `torch.optim.SGD`.
    """
    if nesterov and momentum == 0:
        raise RequestError("nesterov: true needs a momentum above 0")
    return SGD(groups, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)


@OPTIMIZERS.register("adamw")
def adamw(
    groups: Groups,
    *,
    lr: Rate = 1e-3,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    eps: PositiveNumber = 1e-8,
    weight_decay: Decay = 0.01,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2)."""
    return AdamW(groups, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay)


@CLIPPINGS.register("norm")
def norm(*, maximum: PositiveNumber = 1.0) -> Clipping:
    """Scale all gradients together to a Euclidean norm of at most `maximum` (Pascanu 2013, arXiv:1211.5063)."""

    def clip(parameters: Sequence[nn.Parameter]) -> None:
        torch.nn.utils.clip_grad_norm_(parameters, maximum)

    return clip


@CLIPPINGS.register("adaptive")
def adaptive(
    model: nn.Module, *, factor: PositiveNumber = 0.01, eps: Annotated[float, Field(gt=0, le=1)] = 1e-3
) -> Clipping:
    """Each output unit's gradient at most `factor` times its weights' norm (Brock 2021, arXiv:2102.06171, eq. 3).

    A unit is one row of the weight, all its other axes together; the biases or scales of a layer are one unit, as in
    the authors' code. `eps` stands in for the norm of weights near zero. The last layer with a weight matrix or kernel,
    which makes the scores, is left alone, as the paper advises.
    """
    weighted = [m for m in model.modules() if any(p.ndim > 1 for p in m.parameters(recurse=False))]
    head = {id(parameter) for parameter in weighted[-1].parameters(recurse=False)} if weighted else set()

    def clip(parameters: Sequence[nn.Parameter]) -> None:
        for parameter in parameters:
            if parameter.grad is None or id(parameter) in head:
                continue
            largest = factor * _unit_norms(parameter.detach()).clamp(min=eps)
            norms = _unit_norms(parameter.grad)
            parameter.grad.mul_((largest / norms.clamp(min=1e-6)).clamp(max=1.0))

    return clip


def _unit_norms(values: Tensor) -> Tensor:
    """The norm of each unit, in a shape that broadcasts over `values`."""
    axes = tuple(range(1, values.ndim)) or None
    norms: Tensor = torch.linalg.vector_norm(values, dim=axes, keepdim=True)
    return norms


NORMALIZATIONS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


class ParameterGroup(Section):
    """Other rules for some parameters; the first group that matches a parameter holds."""

    match: Annotated[list[str], Field(min_length=1)] = Field(
        description="patterns of parameter names such as 'conv1.*', or the words norms and biases"
    )
    lr_scale: Rate = Field(default=1.0, description="a factor of the learning rate")
    weight_decay: Decay | None = Field(default=None, description="in place of the optimizer's; null keeps that")
    frozen: bool = Field(default=False, description="keep the values that the parameters start with")


REST = ParameterGroup(match=["*"])
"""What holds for parameters that no group matches."""


def parameter_groups(
    model: nn.Module,
    rules: Sequence[ParameterGroup],
    *,
    lr: float,
    weight_decay: float,
    layer_decay: float = 1.0,
    freezing: Freezing | None = None,
) -> list[dict[str, Any]]:
    """Every parameter in one group: that of the first rule that matches it, or the rest.

    Each group has `params`, `names`, `lr`, `weight_decay` and `lr_base` (what a schedule's factor multiplies). The rest
    comes first, so that the first group's rate is the one that people mean. Frozen parameters lose `requires_grad` and
    are in no group, unless `freezing` lets them learn later. With a `layer_decay` below 1 each group is one for each
    depth, with its rate times layer_decay^depth (see `depths`), the last layer's first.

    Raises: RequestError when a rule matches no parameter, or when nothing is left to train.
    """
    norms = _normalization_parameters(model)
    groups: dict[tuple[int | None, int], dict[str, Any]] = {}
    deep = depths(model) if layer_decay < 1 else {}
    matched: set[int] = set()
    for name, parameter in model.named_parameters():
        fitting = [number for number, rule in enumerate(rules) if _matches(rule, name, name in norms)]
        matched.update(fitting)
        rule = rules[fitting[0]] if fitting else REST
        if rule.frozen or (freezing is not None and freezing.is_frozen(name)):
            parameter.requires_grad_(False)
            continue
        depth = deep.get(name, 0)
        rate = lr * rule.lr_scale * layer_decay**depth
        decay = weight_decay if rule.weight_decay is None else rule.weight_decay
        new = {"params": [], "names": [], "lr": rate, "lr_base": rate, "weight_decay": decay}
        group = groups.setdefault((fitting[0] if fitting else None, depth), new)
        group["params"].append(parameter)
        group["names"].append(name)
    for number, rule in enumerate(rules):
        if number not in matched:
            example = ", ".join(name for name, _ in list(model.named_parameters())[:4])
            pattern = ", ".join(f"'{word}'" for word in rule.match)
            raise RequestError(f"parameter_groups: {pattern} matches no parameter; they are called {example}, …")
    if not groups:
        by = "freeze" if freezing is not None and freezing.until else "parameter_groups"
        raise RequestError(f"{by}: every parameter is frozen; nothing is left to train")
    places = list(groups)  # in the order of the parameters
    return [groups[key] for key in sorted(places, key=lambda key: (key[0] is not None, key[1], places.index(key)))]


def _normalization_parameters(model: nn.Module) -> set[str]:
    """The names of the scales and shifts of normalisation layers, our own among them by their `is_normalization`."""
    return {
        f"{name}.{inner}" if name else inner
        for name, module in model.named_modules()
        if isinstance(module, NORMALIZATIONS) or getattr(module, "is_normalization", False)
        for inner, _ in module.named_parameters(recurse=False)
    }


def _matches(rule: ParameterGroup, name: str, is_norm: bool) -> bool:
    return any(
        (word == "norms" and is_norm) or (word == "biases" and name.endswith("bias")) or fnmatchcase(name, word)
        for word in rule.match
    )
