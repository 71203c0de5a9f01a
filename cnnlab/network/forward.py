"""A forward pass in the memory layout in which it is fastest."""

from collections.abc import Callable

import torch
from torch import Tensor

from cnnlab.models.failure import LAYER_FAILURES


def forward(model: Callable[[Tensor], object], images: Tensor, *, again: Callable[[], object] | None = None) -> object:
    """What `model` puts out for `images` (n, c, h, w), which it is given channels last where that is faster.

    On a processor it is: oneDNN's convolutions would reorder every input that lies otherwise. A network that reshapes
    its maps by `view` cannot take them so, or refuses them itself; `again` is called then, and it runs once more on
    images in rows: what it raises there is its own.
    """
    if images.dim() != 4 or images.device.type != "cpu":
        return model(images)
    try:
        return model(images.contiguous(memory_format=torch.channels_last))
    except LAYER_FAILURES as error:
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            raise
    if again is not None:
        again()
    return model(images.contiguous())
