"""How many floating-point operations a training step takes for each image."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from cnnlab.walk.walker import walked


@dataclass(frozen=True)
class StepWork:
    """Floating-point operations for one image: two for each multiply-accumulate of convolutions and matrix products."""

    forward: int
    step: int
    """Of a forward and a backward pass."""
    at_least: bool
    """Whether there are operations that cannot be counted."""


def step_work(model: nn.Module, shape: Sequence[int]) -> StepWork | None:
    """Count the operations of a training step from one walk.

    Backward takes as much as forward for the gradient at the weights, where they learn, and again as much for that at
    the input, where something before it learns; a product of two feature maps takes both.

    Arguments:
        model: as it is trained, with what is frozen marked; it is as it was afterwards.
        shape: (channels, height, width) of an image, in pixels.

    Returns:
        The operations of one image; None where the network cannot be walked.

    Example:
        >>> step_work(nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Linear(5, 2)), (3, 2, 2))
        StepWork(forward=140, step=300, at_least=False)
    """
    run = walked(model, shape, follow=False, count=True)
    if run.failure is not None:
        return None
    learning = {name for name, parameter in model.named_parameters(remove_duplicate=False) if parameter.requires_grad}
    forward, step, below = 0, 0, False
    for operation in run.operations:
        learns = bool(learning.intersection(operation.parameters))
        gradients = int(learns or (below and not operation.parameters)) + int(below)
        forward += 2 * operation.macs
        step += 2 * operation.macs * (1 + gradients)
        below = below or learns
    return StepWork(forward, step, at_least=not all(operation.counted for operation in run.operations))
