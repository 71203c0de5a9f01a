"""What layers are given in one pass."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from cnnlab.models.undisturbed import observe


def first_inputs(
    model: nn.Module, images: Tensor, layers: Sequence[str], *, training: bool = False
) -> dict[str, Tensor]:
    """The inputs of `layers`, by name: copies, of each layer's first run.

    Arguments:
        model: left as it is.
        images: (n, c, h, w), prepared.
        layers: by name; one that does not run is left out.
        training: whether the network is in training mode.

    Returns:
        Of each layer its first input.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str, layer: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        if name not in found and inputs and isinstance(inputs[0], Tensor):
            found[name] = inputs[0].detach().clone()

    with observe(model, keep, layers=layers, training=training):
        model(images)
    return found
