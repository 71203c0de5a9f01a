"""The first place at which a number was not finite."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from cnnlab.core.errors import WorkError
from cnnlab.fit.device import Precision, autocast
from cnnlab.models.observe import observe

ADVICE = "Try a lower optimizer.lr (cnnlab lr-find), or clipping"
"""What to do about it."""


class DivergenceError(WorkError):
    """A loss is no longer finite."""


def first_non_finite(model: nn.Module, images: Tensor | Iterable[Tensor], *, precision: Precision = "fp32") -> str:
    """A sentence that names the first layer with NaN or infinity, in the order of a forward pass.

    `images` [n, c, h, w] is a batch, or several of which one did it. The running statistics of the model are left as
    they were.
    """
    for batch in [images] if isinstance(images, Tensor) else images:
        if not torch.isfinite(batch).all():
            return "the input images hold a value that is not finite"
        layer = _first_layer(model, batch, precision)
        if layer:
            return f"it appears first in {layer}"
    return "every layer's output is finite; the loss itself overflows"


def _first_layer(model: nn.Module, images: Tensor, precision: Precision) -> str | None:
    found: list[str] = []

    # a layer made of layers ends after those inside it, so what is found first is the innermost
    def look(name: str, module: nn.Module, inputs: object, output: object) -> None:
        if found or not isinstance(output, Tensor) or torch.isfinite(output).all():
            return
        bad = [p for p, value in module.named_parameters() if not torch.isfinite(value).all()]
        cause = f"its {bad[0]} is not finite" if bad else "its output; its weights are finite"
        found.append(f"layer {name} ({cause})" if name else f"the model itself ({cause})")

    with observe(model, look, training=None), autocast(images.device, precision):
        model(images)
    return found[0] if found else None
