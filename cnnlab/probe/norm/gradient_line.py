"""The loss along the gradient's direction: Santurkar et al.'s three measures of how smooth it is.

At weights w with gradient g = ∇L(w), for steps t of a range about the learning rate:

    loss range               from the least to the largest L(w − t·g)
    gradient predictiveness  from the least to the largest ‖∇L(w − t·g) − g‖
    effective β-smoothness   the largest ‖∇L(w − t·g) − g‖ / ‖t·g‖

All by the same batch, in training mode. Source: Santurkar et al. 2018, arXiv:1805.11604, section 3.1 and figure 4. The
paper has no table to compare with: what is compared is the direction, one network against its twin without norms.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.fit.device import pointwise_route
from cnnlab.models.failure import told
from cnnlab.models.undisturbed import undisturbed

MULTIPLES = (0.5, 1.0, 2.0, 4.0)
"""Steps, in learning rates, as in the paper's figure."""


@dataclass(frozen=True)
class GradientLine:
    """One place of a training, and the loss from there along the gradient."""

    loss: float
    """L(w)."""
    gradient: float
    """‖∇L(w)‖."""
    steps: tuple[float, ...]
    """t."""
    losses: tuple[float, ...]
    """L(w − t·g) of each; infinite or NaN where it overflows."""
    changes: tuple[float, ...]
    """‖∇L(w − t·g) − g‖ of each."""

    @property
    def loss_range(self) -> float:
        """From the least to the largest loss along the line."""
        return max(self.losses) - min(self.losses)

    @property
    def smoothness(self) -> float:
        """The effective β: the largest change of the gradient for a step of length 1."""
        return max(change / (step * self.gradient) for change, step in zip(self.changes, self.steps, strict=True))

    @property
    def finite(self) -> bool:
        """Whether all of it is a number."""
        values = torch.tensor([self.loss, self.gradient, *self.losses, *self.changes])
        return bool(values.isfinite().all()) and self.gradient > 0


def gradient_line(
    model: nn.Module, images: Float[Tensor, "n c h w"], loss: Callable[[Tensor], Tensor], steps: Sequence[float]
) -> GradientLine:
    """Go down the gradient by each of `steps`, from where the network is, and come back.

    Arguments:
        model: left as it is.
        images: a batch, prepared, on the device.
        loss: of its logits.
        steps: t, above 0: w − t·g is looked at.

    Returns:
        The losses, and how far the gradient changes.

    Raises:
        RequestError: for what the network raises.

    Example:
        >>> line = nn.Sequential(nn.Flatten(), nn.Linear(1, 1, bias=False))
        >>> _ = line[1].weight.data.fill_(3.0)
        >>> found = gradient_line(line, torch.ones(1, 1, 1, 1), torch.sum, [0.5])
        >>> found.loss, found.losses, found.smoothness
        (3.0, (2.5,), 0.0)
    """
    with told(), undisturbed(model, training=True), torch.enable_grad():
        parameters = [one for one in model.parameters() if one.is_floating_point()]
        for parameter in parameters:
            parameter.requires_grad_(True)
        begin = [one.detach().clone() for one in parameters]
        value, gradient = _gradient(model, parameters, images, loss)
        length = _length(gradient)
        losses, changes = [], []
        for step in steps:
            with torch.no_grad():
                for parameter, start, part in zip(parameters, begin, gradient, strict=True):
                    parameter.copy_(start - step * part)
            there, other = _gradient(model, parameters, images, loss)
            losses.append(there)
            changes.append(_length([a - b for a, b in zip(other, gradient, strict=True)]))
        with torch.no_grad():
            for parameter, start in zip(parameters, begin, strict=True):
                parameter.copy_(start)
    return GradientLine(value, length, tuple(steps), tuple(losses), tuple(changes))


def _gradient(
    model: nn.Module, parameters: Sequence[nn.Parameter], images: Tensor, loss: Callable[[Tensor], Tensor]
) -> tuple[float, list[Tensor]]:
    torch.manual_seed(0)  # dropout's choice is the same at each place, so that the loss is one function
    with pointwise_route(images.device, model):
        value = loss(model(images).float())
    found = torch.autograd.grad(value, parameters, allow_unused=True)
    made = [torch.zeros_like(one) if part is None else part for one, part in zip(parameters, found, strict=True)]
    return float(value.detach()), made


def _length(parts: Sequence[Tensor]) -> float:
    return math.sqrt(sum(float(part.norm()) ** 2 for part in parts))
