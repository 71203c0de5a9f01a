"""The filters of a network's convolutions: weights as torch stores them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, unknown
from cnnlab.models.undisturbed import undisturbed


def convolution_filters(
    model: nn.Module, layer: str | None = None, *, smallest: int = 1
) -> tuple[str, Float[Tensor, "n c h w"]]:
    """(name, weights) of the convolution `layer`, without one of the first in the order in which layers are registered.

    That is the first whose filters are at least `smallest` pixels high and wide, where there is one: a whitening layer
    before it has no patterns. The weights are a copy in float32 on the CPU, (filters, input channels of a group,
    height, width).

    Raises: RequestError for a name that is no 2-D convolution, and for a network without any.
    """
    found = {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}
    if not found:
        raise RequestError("this network has no convolution (Conv2d), so it has no filters to look at")
    if layer is not None and layer not in found:
        raise RequestError(unknown("convolution", layer, found))
    large = (name for name, module in found.items() if min(module.kernel_size) >= smallest)
    name = layer if layer is not None else next(large, next(iter(found)))
    with undisturbed(found[name]), torch.no_grad():  # a weight that is worked out, as by spectral norm, may change it
        return name, found[name].weight.detach().float().cpu().clone()
