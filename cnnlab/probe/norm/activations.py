"""What goes on in each layer with weights: mean and deviation of its activation, dead channels, and its gradient.

The activation of a layer is what reaches the next non-linearity after it, its norm included: the pre-activation. A
channel is dead where the non-linearity is a rectifier and lets nothing of it through, for any image at any place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from cnnlab.fit.device import pointwise_route
from cnnlab.models.failure import told
from cnnlab.models.undisturbed import undisturbed
from cnnlab.probe.norm.layers import TYPES

RECTIFIERS: tuple[type[nn.Module], ...] = (nn.ReLU, nn.ReLU6)
"""Non-linearities of which a channel may be dead: their output is 0 for what is below 0."""

NORMS = tuple(TYPES)


@dataclass(frozen=True)
class LayerState:
    """One layer with weights."""

    layer: str
    mean: float
    """Mean of the pre-activation over images, channels and places."""
    deviation: float
    """Its deviation."""
    dead: float | None
    """Share of channels that are dead, 0 … 1; None where no rectifier follows."""
    gradient: float
    """Norm of the loss's gradient by the layer's weight."""


def layer_states(
    model: nn.Module, images: Float[Tensor, "n c h w"], loss: Callable[[Tensor], Tensor]
) -> tuple[LayerState, ...]:
    """Look into a network as a training step finds it: in training mode, on one batch.

    Arguments:
        model: left as it is, running statistics and gradients included.
        images: the batch, prepared, on the device.
        loss: of its logits.

    Returns:
        A fact for each layer with weights that runs, in the order of the pass.

    Raises:
        RequestError: for what the network raises.
    """
    order: list[str] = []
    pre: dict[str, tuple[float, float]] = {}
    dead: dict[str, float | None] = {}

    def look(name: str, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        if isinstance(layer, (_ConvNd, nn.Linear)):
            if name in order:
                return  # runs again
            order.append(name)
            pre[name], dead[name] = _moments(output), None
        elif order and dead[order[-1]] is None and isinstance(layer, RECTIFIERS) and isinstance(inputs[0], Tensor):
            channels = output.detach().transpose(0, 1).flatten(1)
            dead[order[-1]] = float((channels <= 0).all(1).double().mean())
        elif order and dead[order[-1]] is None and isinstance(layer, NORMS):
            pre[order[-1]] = _moments(output)

    with told(), undisturbed(model, training=True), torch.enable_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                parameter.requires_grad_(True)
        for name, module in model.named_modules():
            module.register_forward_hook(lambda layer, given, output, name=name: look(name, layer, given, output))
        with pointwise_route(images.device, model):
            value = loss(model(images).float())
        weights: Mapping[str, Any] = {name: model.get_submodule(name).weight for name in order}
        found = torch.autograd.grad(value, list(weights.values()), allow_unused=True)
        gradients = {
            name: float("nan") if gradient is None else float(gradient.norm())
            for name, gradient in zip(weights, found, strict=True)
        }
    return tuple(LayerState(name, *pre[name], dead[name], gradients[name]) for name in order)


def _moments(values: Tensor) -> tuple[float, float]:
    values = values.detach().float()
    return float(values.mean()), float(values.std(correction=0))
