"""The formulas beside torch's modules: on one tensor for the four kinds, and on what a network's norms are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.core.seeds import derive_seed
from cnnlab.models.undisturbed import undisturbed
from cnnlab.probe.norm.formulas import batch_norm, group_norm, instance_norm, layer_norm, running_statistics
from cnnlab.probe.norm.inputs import first_inputs
from cnnlab.probe.norm.layers import norm_layers

LIMIT = 1e-5
"""The difference that exercise 19.4.2 allows, of values about 5 with a deviation of 3."""

SHAPE = (16, 4, 8, 8)
MEAN, DEVIATION = 5.0, 3.0
"""Of the values of the exercise's tensor."""

GROUPS = 2
BATCHES = 5
"""Batches that go into the running statistics."""

Three = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A normalisation of x with γ and β."""


@dataclass(frozen=True)
class Pair:
    """A normalisation twice: from the formulas, and torch's."""

    ours: Three
    theirs: Three


PAIRS: Mapping[str, Pair] = MappingProxyType(
    {
        "batch norm": Pair(batch_norm, lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True)),
        "layer norm": Pair(layer_norm, lambda x, w, b: F.group_norm(x, 1, w, b)),
        "group norm": Pair(
            lambda x, w, b: group_norm(x, w, b, groups=GROUPS), lambda x, w, b: F.group_norm(x, GROUPS, w, b)
        ),
        "instance norm": Pair(instance_norm, lambda x, w, b: F.instance_norm(x, weight=w, bias=b)),
    }
)


@dataclass(frozen=True)
class Agreement:
    """One kind, by the formulas and by torch."""

    kind: str
    forward: float
    """The largest difference of an output."""
    backward: float
    """The largest difference of a derivative by x, γ or β; over the largest of them, where that is above 1: the
    derivative by γ is a sum of 1,024 values."""
    influence: float
    """How far the output of image 1 moves when image 2 is another one, at most."""

    @property
    def holds(self) -> bool:
        """Whether every difference is below the limit."""
        return max(self.forward, self.backward) < LIMIT


@dataclass(frozen=True)
class FormulaFacts:
    """How far the formulas are from torch."""

    kinds: tuple[Agreement, ...]
    evaluated_influence: float
    """As `influence`, of batch norm in evaluation mode."""
    running: float
    """The largest difference of a running mean or variance after some batches."""
    output_mean: float
    """Of batch norm with γ = 1 and β = 0, the largest mean of a channel, without its sign, …"""
    output_variance: float
    """… and the largest distance of a channel's variance from 1."""

    @property
    def worst(self) -> float:
        """The largest of all differences."""
        return max(self.running, *(max(one.forward, one.backward) for one in self.kinds))


def formula_facts(*, seed: int = 0) -> FormulaFacts:
    """Compare the formulas with torch's modules, on the tensor of the chapter's exercise, 16 × 4 × 8 × 8.

    Arguments:
        seed: of the values.

    Returns:
        The largest differences, and how far one image's output depends on another image.

    Example:
        >>> formula_facts().worst < LIMIT
        True
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "norm formulas"))
    x = MEAN + DEVIATION * torch.randn(SHAPE, generator=generator)
    scale = 1 + torch.randn(SHAPE[1], generator=generator) / 4
    shift = torch.randn(SHAPE[1], generator=generator)
    gradient = torch.randn(SHAPE, generator=generator)
    other = x.clone()
    other[1] = MEAN + DEVIATION * torch.randn(SHAPE[1:], generator=generator)
    kinds = []
    for kind, pair in PAIRS.items():
        ours, theirs = (_answers(one, (x, scale, shift), gradient) for one in (pair.ours, pair.theirs))
        forward = float((ours[0] - theirs[0]).abs().max())
        backward = [
            float((a - b).abs().max() / b.abs().max().clamp(min=1)) for a, b in zip(ours[1:], theirs[1:], strict=True)
        ]
        moved = pair.ours(other, scale, shift)[0] - ours[0][0]
        kinds.append(Agreement(kind, forward, max(backward), float(moved.abs().max())))
    standard = batch_norm(x, torch.ones(SHAPE[1]), torch.zeros(SHAPE[1])).double()
    kept = nn.BatchNorm2d(SHAPE[1]).eval()
    return FormulaFacts(
        tuple(kinds),
        evaluated_influence=float((kept(other)[0] - kept(x)[0]).detach().abs().max()),
        running=_running_difference(generator),
        output_mean=float(standard.mean((0, 2, 3)).abs().max()),
        output_variance=float((standard.var((0, 2, 3), correction=0) - 1).abs().max()),
    )


def _answers(function: Three, given: tuple[Tensor, Tensor, Tensor], gradient: Tensor) -> list[Tensor]:
    """The output, and the derivatives by x, γ and β."""
    leaves = [one.clone().requires_grad_() for one in given]
    output = function(*leaves)
    output.backward(gradient)
    return [output.detach(), *(one.grad for one in leaves if one.grad is not None)]


def _running_difference(generator: torch.Generator) -> float:
    theirs = nn.BatchNorm2d(SHAPE[1])
    mean, variance = torch.zeros(SHAPE[1]), torch.ones(SHAPE[1])
    for _ in range(BATCHES):
        x = MEAN + DEVIATION * torch.randn(SHAPE, generator=generator)
        mean, variance = running_statistics(mean, variance, x)
        theirs(x)
    assert theirs.running_mean is not None
    assert theirs.running_var is not None
    return max(float((mean - theirs.running_mean).abs().max()), float((variance - theirs.running_var).abs().max()))


@dataclass(frozen=True)
class LayerAgreement:
    """A network's own norm layer, by the formulas and by itself, on what it is given."""

    name: str
    kind: str
    forward: float
    """The largest difference of an output, …"""
    backward: float
    """… and of a derivative by its input, each against the largest value there is."""


FORMULAS: Mapping[type[nn.Module], Callable[[Any], Three]] = MappingProxyType(
    {
        nn.BatchNorm1d: lambda layer: lambda x, w, b: batch_norm(x, w, b, eps=layer.eps),
        nn.BatchNorm2d: lambda layer: lambda x, w, b: batch_norm(x, w, b, eps=layer.eps),
        nn.InstanceNorm2d: lambda layer: lambda x, w, b: instance_norm(x, w, b, eps=layer.eps),
        nn.GroupNorm: lambda layer: lambda x, w, b: group_norm(x, w, b, groups=layer.num_groups, eps=layer.eps),
    }
)
"""Of exactly these types, since a subclass may do more; those whose γ and β have a value for each channel."""


def layer_agreements(model: nn.Module, images: Tensor) -> tuple[LayerAgreement, ...]:
    """Compare the formulas with a network's own norm layers, in training mode, each on what it is given.

    Arguments:
        model: left as it is.
        images: (n, c, h, w), prepared.

    Returns:
        A fact for each layer that one of `FORMULAS` is made for and that runs, in their order.
    """
    found: dict[str, LayerAgreement] = {}
    layers: dict[str, Any] = {name: module for name, module in model.named_modules() if type(module) in FORMULAS}

    def compare(name: str, layer: Any, given: Tensor) -> None:
        channels = given.shape[1]
        x = given.detach().clone().requires_grad_()
        weight, bias = (
            fill(channels, device=x.device, dtype=x.dtype) if value is None else value.detach()
            for fill, value in ((torch.ones, layer.weight), (torch.zeros, layer.bias))
        )
        answers = []
        for output in (FORMULAS[type(layer)](layer)(x, weight, bias), type(layer).forward(layer, x)):
            (by_x,) = torch.autograd.grad(output, x, torch.linspace(-1, 1, output.numel()).view_as(output).to(output))
            answers.append((output.detach(), by_x))
        forward, backward = (
            float((a - b).abs().max() / b.abs().max().clamp(min=1e-30)) for a, b in zip(*answers, strict=True)
        )
        (known,) = norm_layers(layer)
        found[name] = LayerAgreement(name, known.kind, forward, backward)

    inputs = first_inputs(model, images, list(layers), training=True)
    with undisturbed(model, training=True), torch.enable_grad():
        for name, given in inputs.items():
            compare(name, layers[name], given)
    return tuple(found[name] for name in layers if name in found)
