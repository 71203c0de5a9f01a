"""Directions in weight space along which the loss of networks can be compared (Li et al. 2018, arXiv:1712.09913).

A network whose layer is scaled by 10 and whose next layer is scaled by 1/10 computes the same, and yet a step of the
same length changes it less. Filter normalisation (section 4) takes that away: each filter of the direction is as long
as that filter of the network. Biases and what norms multiply and add have no filters, and stay where they are.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed

Weights = Mapping[str, Tensor]
"""Parameters by their name."""


def filters_of(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that have filters: all with two axes or more, the first of them that of the filters.

    Raises: RequestError for a network without any.
    """
    found = {name: one.detach() for name, one in model.named_parameters() if one.dim() > 1 and one.is_floating_point()}
    if not found:
        raise RequestError("the network has no convolution and no linear layer, so that there is no direction to go")
    return found


def random_direction(weights: Weights, seed: int) -> dict[str, Tensor]:
    """A filter-normalised random direction.

    Arguments:
        weights: the parameters that have filters.
        seed: of the direction; each parameter draws for itself.

    Returns: a tensor like each of `weights`, normally distributed, each filter as long as that of `weights`.
    """
    found = {}
    for name, weight in weights.items():
        generator = torch.Generator().manual_seed(derive_seed(seed, "direction", name))
        drawn = torch.randn(weight.shape, generator=generator).to(weight)
        found[name] = filter_normalised(drawn, weight)
    return found


def filter_normalised(direction: Tensor, weight: Tensor) -> Tensor:
    """The direction with each of its filters as long as that of `weight`; nothing where a filter is all zeros.

    Arguments:
        direction, weight: of one shape, filters along the first axis.

    Example:
        >>> import torch
        >>> filter_normalised(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[0.0, 10.0], [0.0, 0.0]]))
        tensor([[6., 8.],
                [0., 0.]])
    """
    axes = tuple(range(1, weight.dim()))
    ours, theirs = (torch.linalg.vector_norm(one, dim=axes, keepdim=True) for one in (direction, weight))
    return direction * torch.where(ours > 0, theirs / ours, torch.zeros_like(ours))
