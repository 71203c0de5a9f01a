"""The training loop, read from top to bottom: it yields facts, and whoever iterates decides what to do with them.

Where a number is no longer finite, it finds the first place of that.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.data.batches import Batch, TrainingBatches
from cnnlab.fit.clipping import Clipping
from cnnlab.fit.device import pointwise_route
from cnnlab.fit.distributed.norm import synchronized
from cnnlab.fit.distributed.step import Exchange
from cnnlab.fit.hardest import HardestBatches
from cnnlab.fit.losses import Loss, is_summed, per_image
from cnnlab.fit.precision import Precision, autocast
from cnnlab.fit.resolution import Resolution
from cnnlab.fit.schedules import Schedule
from cnnlab.fit.state import Sums, TrainingState
from cnnlab.models.undisturbed import observe

Clock: TypeAlias = Callable[[], float]

GPU_CHECK_STEPS = 50
"""Losses are looked at this often on a GPU, where every look makes the processor wait; on a CPU at each step."""


LOSS_ITSELF = "every layer's output is finite; the loss itself overflows"

ADVICE = "Try a lower optimizer.lr (cnnlab lr-find), or clipping"
"""What to do about it."""


@dataclass(frozen=True)
class StepDone:
    """After an optimizer step. `loss` and `gradient_norm` lie on the training device: reading them makes it wait."""

    step: int
    epoch: int
    """The epoch under way, from 1."""
    batch: int
    """Batches done of this epoch."""
    lr: float
    loss: Tensor
    gradient_norm: Tensor
    images: int
    """Images seen in this step."""
    done: float
    """How much of the training is behind, 0 … 1: of its steps, or of the time budget where the clock is ahead."""


@dataclass(frozen=True)
class EpochDone:
    """After a whole epoch, or after the part of one that a time budget allowed."""

    step: int
    epoch: int
    lr: float
    loss: float
    """Mean over the images of the epoch, while the weights moved."""
    accuracy: float | None
    """Share of the augmented images that were right while the weights moved; None where targets were mixed."""
    seconds: float
    images_per_second: float
    share: float
    """Of the epoch: below 1 where the time budget ended in it."""


def fit(
    state: TrainingState,
    batches: TrainingBatches | HardestBatches,
    *,
    loss: Loss,
    schedule: Schedule,
    epochs: int,
    clip: Clipping | None = None,
    accumulate: int = 1,
    precision: Precision = "fp32",
    time_budget: float | None = None,
    resolution: Resolution | None = None,
    forward: nn.Module | None = None,
    clock: Clock = time.perf_counter,
) -> Iterator[StepDone | EpochDone]:
    """Train `state.model` from where `state.progress` stands to the end of `epochs`.

    `forward` is a compiled twin of the model, if any; `clock` tells the time in seconds, from any beginning. With
    `time_budget` (seconds) the schedule runs by the clock where the clock is ahead of the steps, so that its decay ends
    on time; so do `resolution`, the sizes of the images, without which they keep their own, and the state's lookahead.
    `accumulate` batches make one optimizer step; batch normalisation still sees single batches.

    Raises: DivergenceError when the loss is not finite, with the step, the learning rate and the layer; RequestError
    when an epoch has no batch.
    """
    if batches.steps == 0:
        raise RequestError("an epoch has no batch: there are fewer training images than training.batch_size")
    model, progress = state.model, state.progress
    forward = model if forward is None else forward  # a module may have a length, or refuse to tell it
    parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
    total_steps = epochs * math.ceil(batches.steps / accumulate)
    pending: list[tuple[int, float, Tensor]] = []
    check_every = 1 if state.device.type == "cpu" else GPU_CHECK_STEPS
    clock_zero = clock() - progress.elapsed

    def check(group: Sequence[Batch]) -> None:
        """Raise where a loss since the last look is not finite."""
        losses = torch.stack([value for _, _, value in pending])
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad):
            step, lr, value = pending[int(bad[0])]
            late = pending[-1][0] - step
            where = first_non_finite(model, (batch.images for batch in group if len(batch.images)), precision=precision)
            where = next((one for one in state.ranks.gathered(where) if one != LOSS_ITSELF), where)
            raise DivergenceError(
                f"the loss is {float(value)} at step {step} (epoch {progress.epoch + 1}) with learning rate {lr:.4g}: "
                f"{where}{f' ({late} steps later)' if late else ''}. "
                f"{ADVICE}"
            )
        pending.clear()

    def behind(step: int, elapsed: float) -> float:
        """How much of the training so many steps and seconds are: of the budget where the clock is ahead."""
        return max(step / total_steps, elapsed / time_budget if time_budget is not None else 0)

    def share(step: int, elapsed: float) -> float:
        """The same for all processes."""
        found = behind(step, elapsed)
        return found if time_budget is None else state.ranks.first(found)

    exchange = None if state.ranks.alone else Exchange(state.ranks, model, parameters)
    route = pointwise_route(state.device, model)
    while progress.epoch < epochs:
        state.begin_epoch()
        if progress.batch == 0:
            state.sums = Sums.zero(state.device)
        epoch_zero = clock() - state.sums.seconds
        stream = batches.epoch(progress.epoch, start=progress.batch)
        out_of_time = False
        while True:
            started = clock()
            progress.elapsed = started - clock_zero
            done = share(progress.step, progress.elapsed)
            if time_budget is not None:
                out_of_time = done >= 1 and progress.step > 0  # at least one step, so that there is something to show
                if out_of_time:
                    break
            group = list(islice(stream, accumulate))
            if not group:
                break
            if resolution is not None:
                group = [resolution.shown(batch, min(done, 1.0)) for batch in group]
            epoch = progress.epoch + progress.batch / batches.steps
            lr = _set_learning_rates(state, schedule, epoch, min(done, 1.0))
            value = _backward(state, forward, group, loss, precision, route, exchange)
            pending.append((progress.step + 1, lr, value))
            last = progress.batch + len(group) >= batches.steps
            if len(pending) >= check_every or last:
                check(group)
            norm = _step(state, parameters, clip)
            progress.step += 1
            progress.batch += len(group)
            if state.lookahead and state.lookahead.meets(progress.step):
                state.lookahead.update(model, min(share(progress.step, clock() - clock_zero), 1.0))
            if state.ema:
                state.ema.update(model)
            now = clock()
            progress.seconds += now - started
            state.sums.seconds += now - started
            progress.elapsed = now - clock_zero
            seen = sum(batch.whole for batch in group)
            done = min(behind(progress.step, progress.elapsed), 1.0)
            yield StepDone(progress.step, progress.epoch + 1, progress.batch, lr, value, norm, seen, done)
        if state.lookahead and (out_of_time or progress.epoch + 1 >= epochs):
            state.lookahead.end(model)
        if state.sums.images:
            yield _epoch_done(state, epoch_zero, clock, share=progress.batch / batches.steps)
        if out_of_time:
            return


def _set_learning_rates(state: TrainingState, schedule: Schedule, epoch: float, done: float) -> float:
    """Set every group's rate by the schedule, or by its own, at a share of the training; returns the first group's."""
    factor = schedule(done)
    for group in state.optimizer.param_groups:
        group["lr"] = group["lr_base"] * factor
    state.terms.hold(state.optimizer, epoch=epoch, done=done)
    return float(state.optimizer.param_groups[0]["lr"])


def _backward(
    state: TrainingState,
    forward: nn.Module,
    group: Sequence[Batch],
    loss: Loss,
    precision: Precision,
    route: AbstractContextManager[object],
    exchange: Exchange | None,
) -> Tensor:
    """Gradients of the loss over all images of `group`, their mean or sum; returns the mean, detached.

    The images are those of all processes, of which each works out its share.
    """
    images = sum(batch.whole for batch in group)
    state.optimizer.zero_grad(set_to_none=True)
    mean = torch.zeros((), device=state.device)
    sums = state.sums if exchange is None else Sums.zero(state.device)
    own = [len(batch.images) for batch in group]
    last = max((place for place, count in enumerate(own) if count), default=None)
    for place, batch in enumerate(group):
        sums.images += batch.whole
        if not len(batch.images) and not state.synchronized_norm:
            continue  # of a small batch a process may have no share
        with autocast(state.device, precision), route, synchronized(state.ranks, state.synchronized_norm):
            logits = forward(batch.images)
        scores = logits.to(torch.promote_types(logits.dtype, torch.float32))  # a loss in bf16 would have 8 bits
        count = len(batch.images)
        if not count:
            (0 * scores.sum()).backward()  # for the others, whose normalisation waits for this one
            continue
        value = loss(scores, batch.targets)
        share = 1.0 if is_summed(loss) else count / images
        scaled = value if share == 1 else value * share
        if exchange is not None and place == last and not state.synchronized_norm:  # whose sums come in between
            exchange.begin()
        if scaled.requires_grad:  # not where the loss leaves the batch out
            (state.scaler.scale(scaled) if state.scaler else scaled).backward()
        each = per_image(loss, value.detach(), count)
        mean = mean + (each if count == images else each * (count / images))
        _count(sums, batch, logits.detach(), each)
    if exchange is not None:
        exchange.end((sums.loss, sums.correct, mean), sum(own) / images)
        state.sums.add(sums)
    return mean


def _count(sums: Sums, batch: Batch, logits: Tensor, loss: Tensor) -> None:
    sums.loss += loss * len(batch.images)
    if batch.targets.is_floating_point():
        sums.mixed = True
    else:
        sums.correct += (logits.argmax(1) == batch.targets).sum()


def _step(state: TrainingState, parameters: Sequence[nn.Parameter], clip: Clipping | None) -> Tensor:
    """One optimizer step; returns the gradients' norm before clipping."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros((), device=state.device)
    if state.scaler:
        state.scaler.unscale_(state.optimizer)
    norm = torch.nn.utils.get_total_norm(gradients)
    if clip:
        clip(parameters)
    if state.scaler:
        state.scaler.step(state.optimizer)
        state.scaler.update()
    else:
        state.optimizer.step()
    return norm


def _epoch_done(state: TrainingState, started: float, clock: Clock, *, share: float) -> EpochDone:
    """Close the epoch, of which a `share` was trained and which began at `started` on the clock."""
    sums, progress = state.sums, state.progress
    progress.epoch += 1
    progress.batch = 0
    loss = float(sums.loss) / sums.images  # waits for the device, so the clock below is right
    if state.device.type != "cpu":
        # A GPU works on while the steps' facts are used, so the time between the steps counts, too.
        waited = max(0.0, clock() - started - sums.seconds)
        progress.seconds += waited
        sums.seconds += waited
    return EpochDone(
        step=progress.step,
        epoch=progress.epoch,
        lr=float(state.optimizer.param_groups[0]["lr"]),
        loss=loss,
        accuracy=None if sums.mixed else float(sums.correct) / sums.images,
        seconds=sums.seconds,
        images_per_second=sums.images / sums.seconds if sums.seconds else math.nan,
        share=share,
    )


class DivergenceError(WorkError):
    """A loss is no longer finite."""


def first_non_finite(model: nn.Module, images: Tensor | Iterable[Tensor], *, precision: Precision = "fp32") -> str:
    """A sentence that names the first layer with NaN or infinity, in the order of a forward pass.

    `images` [n, c, h, w] is a batch, or several of which one did it. The running statistics of the model are left as
    they were.
    """
    for batch in [images] if isinstance(images, Tensor) else images:
        if not torch.isfinite(batch).all():
            return "the input images hold a value that is not finite"
        layer = _first_layer(model, batch, precision)
        if layer:
            return f"it appears first in {layer}"
    return LOSS_ITSELF


def _first_layer(model: nn.Module, images: Tensor, precision: Precision) -> str | None:
    found: list[str] = []

    # a layer made of layers ends after those inside it, so what is found first is the innermost
    def look(name: str, module: nn.Module, inputs: object, output: object) -> None:
        if found or not isinstance(output, Tensor) or torch.isfinite(output).all():
            return
        bad = [p for p, value in module.named_parameters() if not torch.isfinite(value).all()]
        cause = f"its {bad[0]} is not finite" if bad else "its output; its weights are finite"
        found.append(f"layer {name} ({cause})" if name else f"the model itself ({cause})")

    with observe(model, look, training=None), autocast(images.device, precision):
        model(images)
    return found[0] if found else None
