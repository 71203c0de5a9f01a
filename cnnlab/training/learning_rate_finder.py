"""The learning-rate range test (Smith 2017, arXiv:1506.01186, sec. 3.3).

The rate grows geometrically from batch to batch; where the smoothed loss falls fastest is a good rate, and where it
rises the rate is too large.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn
from torch.optim import Optimizer

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import TrainingBatches
from cnnlab.training.losses import Loss

SMOOTHING = 0.95
"""Weight of the past in the running mean of the loss; corrected for its start at 0."""
BLOW_UP = 4.0
"""The test ends when the smoothed loss is this many times its least value."""


@dataclass(frozen=True)
class RatePoint:
    """One batch of the test."""

    step: int
    lr: float
    loss: float
    smoothed: float


def learning_rate_range(
    model: nn.Module,
    optimizer: Optimizer,
    batches: TrainingBatches,
    *,
    loss: Loss,
    start: float,
    end: float,
    steps: int,
) -> Iterator[RatePoint]:
    """Train over `steps` batches while the rate grows from `start` to `end`; stops early where the loss blows up.

    The model and the optimizer are used up by it: hand in a fresh pair.

    Raises: RequestError for a range that does not grow.
    """
    if not 0 < start < end:
        raise RequestError(f"a range of learning rates from {start:g} to {end:g}; expected 0 < start < end")
    model.train()
    scales = [group["lr_base"] / optimizer.param_groups[0]["lr_base"] for group in optimizer.param_groups]
    running, least = 0.0, math.inf
    step, epoch = 0, 0
    while step < steps:
        for batch in batches.epoch(epoch):
            lr = start * (end / start) ** (step / max(1, steps - 1))
            for group, scale in zip(optimizer.param_groups, scales, strict=True):
                group["lr"] = lr * scale
            optimizer.zero_grad(set_to_none=True)
            value = loss(model(batch.images), batch.targets)
            number = float(value.detach())
            step += 1
            if not math.isfinite(number):
                return
            running = SMOOTHING * running + (1 - SMOOTHING) * number
            smoothed = running / (1 - SMOOTHING**step)
            yield RatePoint(step, lr, number, smoothed)
            least = min(least, smoothed)
            if smoothed > BLOW_UP * least or step >= steps:
                return
            value.backward()
            optimizer.step()
        epoch += 1


def suggest_rate(points: Sequence[RatePoint]) -> float | None:
    """A tenth of the rate of the least smoothed loss, or the rate of its steepest descent, whichever is smaller.

    None where the loss never fell by at least 2 % of its start: then no rate of the range learned anything.
    """
    if len(points) < 10:
        return None
    least = min(range(len(points)), key=lambda i: points[i].smoothed)
    if points[least].smoothed > 0.98 * points[0].smoothed:
        return None
    slopes = [
        (points[i + 1].smoothed - points[i - 1].smoothed) / math.log(points[i + 1].lr / points[i - 1].lr)
        for i in range(1, least)
    ]
    steepest = min(range(len(slopes)), key=slopes.__getitem__) + 1 if slopes else least
    return min(points[least].lr / 10, points[steepest].lr) if steepest < least else points[least].lr / 10
