"""One network's weights drawn towards another's."""

from itertools import chain

import torch
from torch import Tensor, nn


@torch.no_grad()
def average_into(average: nn.Module, model: nn.Module, decay: float) -> None:
    """In place: average ← decay·average + (1 − decay)·model, of parameters and buffers; counters are copied.

    Arguments:
        average, model: two networks of the same layers. Statistics of batch normalisation are averaged like weights.
        decay: the share of the old average that is kept, 0 … 1.
    """
    floats: tuple[list[Tensor], list[Tensor]] = ([], [])
    for mine, its in zip(_tensors(average), _tensors(model), strict=True):
        if mine.is_floating_point():
            floats[0].append(mine)
            floats[1].append(its)
        else:
            mine.copy_(its)
    torch._foreach_lerp_(floats[0], floats[1], 1 - decay)


def _tensors(model: nn.Module) -> list[Tensor]:
    return list(chain(model.parameters(), model.buffers()))
