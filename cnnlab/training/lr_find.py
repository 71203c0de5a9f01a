"""The learning-rate range test (Smith 2017, arXiv:1506.01186, sec. 3.3) of a config: `cnnlab lr-find`.

The rate grows geometrically from batch to batch; where the smoothed loss falls fastest is a good rate, and where it
rises the rate is too large.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from torch import nn
from torch.optim import Optimizer

from cnnlab.config.config import Config
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import Component
from cnnlab.data.batches import TrainingBatches
from cnnlab.fit.device import pointwise_route
from cnnlab.fit.freezing import Freezing
from cnnlab.fit.losses import Loss, per_image
from cnnlab.fit.optimizers.rates import rates
from cnnlab.network.session import Session
from cnnlab.training.setup import set_up_training

SMOOTHING = 0.95
"""Weight of the past in the running mean of the loss; corrected for its start at 0."""
LEAST_FALL = 0.01
"""The share of its start that the loss must lose somewhere for a rate to be suggested."""
FALL_NOISES = 6.0
"""Fall in standard errors of the smoothed loss: the least of many lies low by chance already, at an end most."""
MOST_RATE = 1e6
BLOW_UP = 4.0
"""The test ends when the smoothed loss is this many times its least value."""


@dataclass(frozen=True)
class RatePoint:
    """One batch of the test."""

    step: int
    lr: float
    loss: float
    smoothed: float
    factor: float = 1.0
    """By which every learning rate of the config was multiplied; `lr` is that of the first parameter group."""


def find_learning_rate(
    config: Config,
    session: Session,
    *,
    start: float = 1e-5,
    end: float = 10.0,
    steps: int = 200,
    tell: Callable[[str], object] | None = None,
) -> Iterator[RatePoint]:
    """Run the range test on the network and the training images of a config.

    Arguments:
        config: of the training that needs a rate.
        session: where data lies, and the device.
        start, end: the first and the last learning rate.
        steps: batches of the test.
        tell: called with a sentence for each thing that a person should know of the network.

    Yields:
        A point a batch; fewer than `steps` where the loss blows up.

    Raises:
        RequestError: for a range that does not grow, and where parts of the config do not fit each other or the data.

    Example:
        >>> from cnnlab.config import QUICKSTART
        >>> from cnnlab.config.config import read_config
        >>> from cnnlab.network.session import Session
        >>> from cnnlab.training.lr_find import find_learning_rate, suggest_rate
        >>> small = ["data.dataset={shapes: {train_count: 300}}", "training.batch_size=32"]
        >>> test = find_learning_rate(read_config(QUICKSTART, small), Session(device_name="cpu"), steps=20)
        >>> points = list(test)
        >>> points[0].lr, len(points)
        (1e-05, 20)
        >>> suggest_rate(points)
    """
    if not 0 < start < end <= MOST_RATE:
        raise RequestError(f"`start` is {start:g} and `end` {end:g}; expected 0 < start < end, and 1e6 at most")
    setup = set_up_training(config, session)
    if tell is not None:
        for remark in setup.remarks:
            tell(remark)
    optimizer = setup.state.optimizer
    yield from learning_rate_range(
        setup.network,
        optimizer,
        setup.batches,
        loss=setup.loss,
        start=start,
        end=end,
        steps=steps,
        freezing=setup.state.freezing,
    )


def learning_rate_range(
    model: nn.Module,
    optimizer: Optimizer,
    batches: TrainingBatches,
    *,
    loss: Loss,
    start: float,
    end: float,
    steps: int,
    freezing: Freezing | None = None,
) -> Iterator[RatePoint]:
    """Train over `steps` batches while the rate grows from `start` to `end`; stops early where the loss blows up.

    The rates of all groups keep their proportion, whatever `until` and `schedule` they have; what is frozen in the
    first epoch is frozen in all of them.

    The model and the optimizer are used up by it: hand in a fresh pair.
    """
    model.train()
    if freezing is not None:
        freezing.begin(1)
    base = optimizer.param_groups[0]["lr_base"]
    scales = [group["lr_base"] / base for group in optimizer.param_groups]
    running, least = 0.0, math.inf
    route = pointwise_route(next(model.parameters()).device, model)
    step, epoch = 0, 0
    while step < steps:
        for batch in batches.epoch(epoch):
            lr = start * (end / start) ** (step / max(1, steps - 1))
            for group, scale in zip(optimizer.param_groups, scales, strict=True):
                group["lr"] = lr * scale
            optimizer.zero_grad(set_to_none=True)
            with route:
                logits = model(batch.images)
            value = loss(logits, batch.targets)
            number = float(per_image(loss, value.detach(), len(batch.images)))
            step += 1
            if not math.isfinite(number):
                return
            running = SMOOTHING * running + (1 - SMOOTHING) * number
            smoothed = running / (1 - SMOOTHING**step)
            yield RatePoint(step, lr, number, smoothed, lr / base)
            least = min(least, smoothed)
            if smoothed > BLOW_UP * least or step >= steps:
                return
            value.backward()
            optimizer.step()
        epoch += 1


def smoothed_losses(points: Sequence[RatePoint]) -> list[float]:
    """The losses of the test under a Gaussian window over neighbouring batches, which moves no fall to the right.

    (The running mean of the test itself lags, and jumps at its start.) Losses above twice the typical first one are
    cut off there, so that the blow-up at the end does not leak into the curve before it.
    """
    ceiling = 2 * median(point.loss for point in points[: max(1, len(points) // 5)])
    losses = [min(point.loss, ceiling) for point in points]
    width = _width(points)
    reach = math.ceil(3 * width)
    window = np.exp(-((np.arange(-reach, reach + 1) / width) ** 2) / 2)
    sums, weights = (np.convolve(values, window)[reach:-reach] for values in (losses, np.ones(len(losses))))
    smooth: list[float] = (sums / weights).tolist()
    return smooth


def _width(points: Sequence[RatePoint]) -> float:
    """The standard deviation of the window, in batches."""
    return max(1.5, 0.03 * len(points))


def suggested_changes(optimizer: Component, points: Sequence[RatePoint], suggestion: float) -> tuple[str, ...]:
    """What sets every rate of an optimizer so that the first parameter group has the rate that is suggested.

    Arguments:
        optimizer: of the config that was tested.
        points: of the test.
        suggestion: the rate.

    Returns:
        Changes of the config, such as `optimizer.lr=0.05`.

    Example:
        >>> from cnnlab.core.registry import component
        >>> from cnnlab.fit import catalog
        >>> point = RatePoint(1, lr=0.2, loss=2.3, smoothed=2.3, factor=2.0)
        >>> suggested_changes(component("optimizer", "sgd", lr=0.1), [point], 0.4)
        ('optimizer.lr=0.4',)
    """
    factor = suggestion * points[0].factor / points[0].lr
    return tuple(f"optimizer.{path}={rate * factor:.2g}" for path, rate in rates(optimizer))


def suggest_rate(points: Sequence[RatePoint]) -> float | None:
    """The rate of the steepest fall of the smoothed loss, at most a third of the rate where the loss is least.

    None for fewer than 20 batches, and where the loss fell by less than 1 % of its start or by no more than the noise
    from batch to batch explains: then no rate of the range was seen to learn anything.
    """
    if len(points) < 20:
        return None
    smooth = smoothed_losses(points)
    least = min(range(len(smooth)), key=smooth.__getitem__)
    start = median(smooth[: max(1, len(smooth) // 5)])
    # half the test, before the losses move apart; neighbours differ by √2 deviations, of which 1.4826 medians make one
    steps = [abs(b.loss - a.loss) for a, b in pairwise(points[: len(points) // 2])]
    noise = 1.4826 * median(steps) / math.sqrt(2)
    error = noise / math.sqrt(2 * math.sqrt(math.pi) * _width(points))  # the window averages about so many batches
    if start - smooth[least] < max(LEAST_FALL * start, FALL_NOISES * error):
        return None
    step = max(1, len(points) // 40)
    falls = {i: smooth[i + step] - smooth[i - step] for i in range(len(points) // 10 + step, least - step)}
    steepest = min(falls, key=falls.__getitem__) if falls else least
    return min(points[steepest].lr, points[least].lr / 3)
