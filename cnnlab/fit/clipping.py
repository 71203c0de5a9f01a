"""Limits of the gradients by name: each bounds those of a list of parameters in place, before a step."""

from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from cnnlab.core.quantities import PositiveNumber
from cnnlab.fit.registry import CLIPPINGS

Clipping = Callable[[Sequence[nn.Parameter]], None]


@CLIPPINGS.register("norm")
def norm(*, maximum: PositiveNumber = 1.0) -> Clipping:
    """Scale all gradients together to a Euclidean norm of at most `maximum` (Pascanu 2013, arXiv:1211.5063)."""

    def clip(parameters: Sequence[nn.Parameter]) -> None:
        torch.nn.utils.clip_grad_norm_(parameters, maximum)

    return clip


@CLIPPINGS.register("adaptive")
def adaptive(
    model: nn.Module, *, factor: PositiveNumber = 0.01, eps: Annotated[float, Field(gt=0, le=1)] = 1e-3
) -> Clipping:
    """Each output unit's gradient at most `factor` times its weights' norm (Brock 2021, arXiv:2102.06171, eq. 3).

    A unit is one row of the weight, all its other axes together; the biases or scales of a layer are one unit, as in
    the authors' code. `eps` stands in for the norm of weights near zero. The last layer with a weight matrix or kernel,
    which makes the scores, is left alone, as the paper advises.
    """
    weighted = [m for m in model.modules() if any(p.ndim > 1 for p in m.parameters(recurse=False))]
    head = {id(parameter) for parameter in weighted[-1].parameters(recurse=False)} if weighted else set()

    def clip(parameters: Sequence[nn.Parameter]) -> None:
        for parameter in parameters:
            if parameter.grad is None or id(parameter) in head:
                continue
            largest = factor * _unit_norms(parameter.detach()).clamp(min=eps)
            norms = _unit_norms(parameter.grad)
            parameter.grad.mul_((largest / norms.clamp(min=1e-6)).clamp(max=1.0))

    return clip


def _unit_norms(values: Tensor) -> Tensor:
    """The norm of each unit, in a shape that broadcasts over `values`."""
    axes = tuple(range(1, values.ndim)) or None
    norms: Tensor = torch.linalg.vector_norm(values, dim=axes, keepdim=True)
    return norms
