"""Stochastic gradient descent: torch's own, its options as torch names them."""

from torch.optim import SGD, Optimizer

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import Decay, Fraction, Rate
from cnnlab.fit.parameter_groups import Groups, LearningParameters
from cnnlab.fit.registry import OPTIMIZERS

DECOUPLED_IMAGES = 1024
"""Images that a decoupled learning rate and weight decay are given for."""


@OPTIMIZERS.register("sgd")
def sgd(
    parameters: LearningParameters,
    *,
    lr: Rate = 0.1,
    momentum: Fraction = 0.9,
    weight_decay: Decay = 0.0,
    nesterov: bool = False,
    decoupled: bool = False,
) -> Optimizer:
    """Stochastic gradient descent: v ← momentum·v + (g + weight_decay·w); w ← w − lr·v.

    With `nesterov` the step is g + momentum·v (Sutskever 2013). The decay is added to the gradient, as in
    `torch.optim.SGD`.

    With `decoupled` both hold for 1,024 images, whatever the batch, the momentum and the loss' reduction are, and
    another `lr` leaves the decay as it is: with b images in a step and k = 1024·(1 + 1/(1 − momentum)) torch gets a
    rate of lr·b/k (lr/k of a summed loss), and the decay that takes weight_decay·b/k off a weight in each step
    (airbench; Jordan 2024, arXiv:2404.00498). A group's `lr_scale` leaves its decay as it is, too.
    """
    if nesterov and momentum == 0:
        raise RequestError("nesterov: true needs a momentum above 0")
    if decoupled:
        groups = _coupled(parameters, lr, momentum, weight_decay)
    else:
        groups = parameters.groups(lr=lr, weight_decay=weight_decay)
    return SGD(groups, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)


def _coupled(parameters: LearningParameters, lr: float, momentum: float, weight_decay: float) -> Groups:
    """The groups with the rates and decays that torch needs, of decoupled ones."""
    kilostep = DECOUPLED_IMAGES * (1 + 1 / (1 - momentum))
    step = parameters.step
    groups = parameters.groups(lr=lr / kilostep * (1 if step.summed else step.learned), weight_decay=weight_decay)
    for group in groups:
        group["weight_decay"] *= step.images / kilostep / group["lr"]
    return groups
