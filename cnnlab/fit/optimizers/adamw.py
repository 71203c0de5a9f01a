"""Adam with decoupled weight decay: torch's own, its options as torch names them."""

from torch.optim import AdamW, Optimizer

from cnnlab.core.quantities import Decay, Fraction, PositiveNumber, Rate
from cnnlab.fit.parameter_groups import LearningParameters
from cnnlab.fit.registry import OPTIMIZERS


@OPTIMIZERS.register("adamw")
def adamw(
    parameters: LearningParameters,
    *,
    lr: Rate = 1e-3,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    eps: PositiveNumber = 1e-8,
    weight_decay: Decay = 0.01,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2)."""
    groups = parameters.groups(lr=lr, weight_decay=weight_decay)
    return AdamW(groups, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay)
