"""What a batch norm takes away from the layer before it: the scale of its weights, and its bias.

With k > 0 in front of the weights the output of a convolution is k times as large, mean and deviation with it, and
(x − μ)/√(σ² + ε) is the same but for ε, which stands in for ε/k². A bias is in the mean and goes with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from cnnlab.models.undisturbed import observe, undisturbed
from cnnlab.probe.norm.inputs import first_inputs

FACTORS = (0.1, 10.0)
"""By which weights are multiplied."""


@dataclass(frozen=True)
class Follows:
    """A batch norm whose input is the output of a layer with weights."""

    layer: str
    norm: str
    bias: int
    """Numbers in the bias of the layer, which the norm makes redundant; 0 without one."""


@dataclass(frozen=True)
class Change:
    """What becomes of the norm's output when the weights before it are `factor` times as large."""

    factor: float
    output: float
    """Largest change of what the norm puts out, over the largest output that there was."""
    by_eps: float
    """The largest share by which ε makes an output change: √((σ² + ε)/(σ² + ε/k²)) − 1."""


@dataclass(frozen=True)
class Scaled:
    """What the norm puts out when the weights before it are multiplied, in training mode."""

    follows: Follows
    changes: tuple["Change", ...]
    without_bias: float | None
    """Largest change of the norm's output with the bias 0, over the largest output; None without a bias."""


def followed_layers(model: nn.Module, images: Tensor) -> tuple[Follows, ...]:
    """The convolutions and dense layers whose output goes straight to a batch norm, as a forward pass shows it.

    Arguments:
        model: left as it is.
        images: (n, c, h, w), prepared.

    Returns:
        Each with its norm, in the order in which they run.
    """
    made: list[tuple[str, Tensor]] = []
    found: list[Follows] = []

    def look(name: str, layer: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        if isinstance(layer, (_ConvNd, nn.Linear)) and isinstance(output, Tensor):
            made.append((name, output))
        if isinstance(layer, _BatchNorm) and inputs:
            before = next((known for known, tensor in made if tensor is inputs[0]), None)
            if before is not None:
                bias = model.get_submodule(before).bias
                found.append(Follows(before, name, bias.numel() if isinstance(bias, Tensor) else 0))

    with observe(model, look):
        model(images)
    return tuple({one.norm: one for one in found}.values())


def scaled_weights(
    model: nn.Module, images: Tensor, pairs: Sequence[Follows], *, factors: Sequence[float] = FACTORS
) -> Iterator[Scaled]:
    """Multiply a layer's weights, and see what comes out of the batch norm after it.

    Arguments:
        model: left as it is.
        images: (n, c, h, w), prepared; at least two.
        pairs: of `followed_layers`.
        factors: above 0.

    Yields:
        What changes, for each pair.
    """
    for pair in pairs:
        layer: Any = model.get_submodule(pair.layer)
        norm: Any = model.get_submodule(pair.norm)
        given = first_inputs(model, images, [pair.layer], training=True)[pair.layer]
        with undisturbed(model, training=True), torch.no_grad():
            before = layer(given)
            reference = norm(before).clone()
            top = reference.abs().max()
            variance = before.cpu().double().var((0, *range(2, before.dim())), correction=0)
            weight, bias = layer.weight, layer.bias
            kept = weight.detach().clone()
            kept_bias = None if bias is None else bias.detach().clone()
            changes = []
            for factor in factors:
                weight.copy_(kept * factor)
                if kept_bias is not None:
                    bias.copy_(kept_bias * factor)
                change = (norm(layer(given)) - reference).abs().max() / top
                by_eps = ((variance + norm.eps) / (variance + norm.eps / factor**2)).sqrt() - 1
                changes.append(Change(factor, float(change), float(by_eps.abs().max())))
            weight.copy_(kept)
            without = None
            if bias is not None:
                bias.zero_()
                without = float((norm(layer(given)) - reference).abs().max() / top)
        yield Scaled(pair, tuple(changes), without)
