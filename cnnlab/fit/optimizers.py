"""Optimizers by name: torch's own, their options as torch names them."""

from typing import Any

from torch.optim import SGD, AdamW, Optimizer

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import Decay, Fraction, PositiveNumber, Rate
from cnnlab.fit.registry import OPTIMIZERS

Groups = list[dict[str, Any]]


@OPTIMIZERS.register("sgd")
def sgd(
    groups: Groups,
    *,
    lr: Rate = 0.1,
    momentum: Fraction = 0.9,
    weight_decay: Decay = 0.0,
    nesterov: bool = False,
) -> Optimizer:
    """Stochastic gradient descent: v ← momentum·v + (g + weight_decay·w); w ← w − lr·v.

    With `nesterov` the step is g + momentum·v (Sutskever 2013). The decay is added to the gradient, as in
    `torch.optim.SGD`.
    """
    if nesterov and momentum == 0:
        raise RequestError("nesterov: true needs a momentum above 0")
    return SGD(groups, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)


@OPTIMIZERS.register("adamw")
def adamw(
    groups: Groups,
    *,
    lr: Rate = 1e-3,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    eps: PositiveNumber = 1e-8,
    weight_decay: Decay = 0.01,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2)."""
    return AdamW(groups, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay)
