"""The filters of a convolution: which layer they come from, their weights as torch stores them, and their display.

Weights are (filters, input channels, height, width) and applied by cross-correlation: no flip. A textbook convolution
would use them turned by 180°, which reverses the sign of an odd filter and leaves an even one as it is.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, unknown
from cnnlab.models.undisturbed import undisturbed

DISPLAY_EPSILON = 1e-8
"""Keeps a constant filter from being divided by zero; it is then black."""


def convolution_filters(model: nn.Module, layer: str | None = None) -> tuple[str, Float[Tensor, "n c h w"]]:
    """(name, weights) of the convolution `layer`, without one of the first in the order in which layers are registered.

    The weights are a copy in float32 on the CPU, (filters, input channels of a group, height, width).

    Raises: RequestError for a name that is no 2-D convolution, and for a network without any.
    """
    found = {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}
    if not found:
        raise RequestError("this network has no convolution (Conv2d), so it has no filters to look at")
    if layer is not None and layer not in found:
        raise RequestError(unknown("convolution", layer, found))
    name = layer if layer is not None else next(iter(found))
    with undisturbed(found[name]), torch.no_grad():  # a weight that is worked out, as by spectral norm, may change it
        return name, found[name].weight.detach().float().cpu().clone()


def filter_grid(weights: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Display data only: each filter between its own least (0) and largest weight (1), so that magnitudes are gone.

    (w − min)/(max − min + 1e-8) over all channels of a filter together, which keeps the colours of a filter and hides
    its size.
    """
    flat = weights.detach().flatten(1)
    low, high = flat.amin(1)[:, None, None, None], flat.amax(1)[:, None, None, None]
    return (weights.detach() - low) / (high - low + DISPLAY_EPSILON)


def random_filters(shape: tuple[int, int, int], *, count: int, seed: int) -> Float[Tensor, "n c h w"]:
    """`count` filters of `shape` (channels, height, width) with independent standard normal weights: the null.

    What is measured of a filter does not depend on its scale, so a standard deviation of 1 stands for any.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator)
