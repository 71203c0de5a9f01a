"""The same network with other norms, its weights kept. In a config it is `cnnlab.config.norms` that exchanges them."""

import copy
from math import gcd

import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError


def with_group_norms(model: nn.Module, groups: int) -> tuple[nn.Module, tuple[tuple[str, int, int], ...]]:
    """A copy of a network with a group norm in place of each batch norm of maps: same weights, γ and β kept.

    Arguments:
        model: left as it is.
        groups: at most; of C channels there are as many groups as divide both.

    Returns:
        The copy, and of each layer the name, the channels and the groups.

    Raises:
        RequestError: for a network without batch norms of maps, and one that cannot be copied.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 48, 3), nn.BatchNorm2d(48))
        >>> with_group_norms(model, 32)[1]
        (('1', 48, 16),)
    """
    try:
        twin = copy.deepcopy(model)
    except RuntimeError as error:  # of weights that a hook works out
        raise RequestError(f"the network cannot be copied: {error}") from error
    changed = []
    for name, layer in list(twin.named_modules()):
        if type(layer) is not nn.BatchNorm2d or not name:
            continue
        made = gcd(groups, layer.num_features)
        other = nn.GroupNorm(made, layer.num_features, eps=layer.eps, affine=layer.affine)
        like: Tensor | None = layer.weight if layer.affine else layer.running_mean
        other = other.to(like.device) if like is not None else other
        if layer.affine:
            with torch.no_grad():
                other.weight.copy_(layer.weight)
                other.bias.copy_(layer.bias)
        twin.set_submodule(name, other.train(layer.training))
        changed.append((name, layer.num_features, made))
    if not changed:
        raise RequestError("the network has no batch norm of maps that could become a group norm")
    return twin, tuple(changed)
