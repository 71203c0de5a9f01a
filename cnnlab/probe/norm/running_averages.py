"""The running statistics of batch norm beside the true ones: after how many batches they are of use.

With μ₀ = 0 at the start and momentum p, after n batches

    E[running mean] = (1 − (1 − p)ⁿ)·μ,  and of the variance  (1 − p)ⁿ·1 + (1 − (1 − p)ⁿ)·E[batch variance]

so that after two batches with p = 0.1 they stand at 19 % of the way. Afterwards they scatter for ever, by
√(p/(2 − p)) of the deviation of a single batch's mean.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnlab.core.seeds import derive_seed
from cnnlab.probe.norm.agreement import DEVIATION, MEAN, SHAPE
from cnnlab.probe.norm.formulas import EPS, updated
from cnnlab.probe.norm.moments import Moments, drawn_batches

UPDATES = (1, 2, 5, 10, 20, 50, 100, 200)
REPEATS = 32
"""Courses of updates that are averaged."""

NEAR = 0.01
"""How far from 1 the way counts as gone."""


@dataclass(frozen=True)
class AfterUpdates:
    """Running statistics after `updates` batches, averaged over courses and channels."""

    updates: int
    way: float
    """The share of the way from the start to the true mean."""
    way_expected: float
    """1 − (1 − momentum)^updates."""
    variance: float
    """Running variance over the true one."""
    variance_expected: float
    """The same from the closed form."""
    scatter: float
    """Deviation of a running mean over courses, in true deviations."""


@dataclass(frozen=True)
class RunningCourse:
    """How the running statistics of one layer come near the true ones."""

    layer: str
    momentum: float
    batch: int
    """Images of a batch."""
    start_variance: float
    """What the running variance starts at, over the true one."""
    steps: tuple[AfterUpdates, ...]
    scatter_expected: float
    """What the scatter of the running mean comes to in the end, in true deviations."""

    @property
    def updates_needed(self) -> int:
        """Batches after which 99 % of the way is gone."""
        return math.ceil(math.log(NEAR) / math.log(1 - self.momentum)) if self.momentum < 1 else 1


def running_course(
    layer: str,
    moments: Moments,
    *,
    momentum: float,
    batch: int,
    seed: int,
    updates: Sequence[int] = UPDATES,
    repeats: int = REPEATS,
) -> RunningCourse:
    """Let running statistics follow batches, from 0 and 1 on.

    Arguments:
        layer: its name.
        moments: what it is given.
        momentum: the share of the new batch, above 0.
        batch: images of a batch.
        seed: of the batches.
        updates: numbers of batches, growing, after which to look.
        repeats: courses.

    Returns:
        Running statistics after each of `updates`, beside the closed forms.
    """
    live = moments.live
    n = len(moments.mean)
    true_mean = (moments.mean.mean(0) + moments.centre)[live]
    true_variance = moments.variance[live]
    values = batch * moments.positions
    unbiased = values / max(1, values - 1)
    expected_batch = (true_variance - moments.between[live] / batch) * unbiased
    mean = torch.zeros(repeats, len(true_mean), dtype=torch.float64)
    variance = torch.ones_like(mean)
    steps = []
    for update in range(1, max(updates) + 1):
        generator = torch.Generator().manual_seed(derive_seed(seed, "running", layer, update))
        new_mean, new_variance = moments.batches(drawn_batches(n, batch, repeats, generator))
        mean = updated(mean, (new_mean + moments.centre)[:, live], momentum)
        variance = updated(variance, new_variance[:, live] * unbiased, momentum)
        if update in updates:
            left = (1 - momentum) ** update
            expected = left + (1 - left) * expected_batch
            steps.append(
                AfterUpdates(
                    update,
                    way=float((mean.mean(0) * true_mean).sum() / (true_mean**2).sum()),
                    way_expected=1 - left,
                    variance=float((variance / true_variance).mean()),
                    variance_expected=float((expected / true_variance).mean()),
                    scatter=float(((mean.var(0) / true_variance).mean()) ** 0.5),
                )
            )
    of_batch = float((moments.between[live] / batch / true_variance).mean()) ** 0.5
    return RunningCourse(
        layer,
        momentum,
        batch,
        float((1 / true_variance).mean()),
        tuple(steps),
        of_batch * math.sqrt(momentum / (2 - momentum)),
    )


@dataclass(frozen=True)
class KeptStatistics:
    """The running statistics that a network has, beside those of its inputs now."""

    layer: str
    updates: int | None
    """Batches that went into them, where that was counted."""
    mean_error: float
    """Root mean square over the channels of (running mean − true mean)/true deviation."""
    variance_ratio: float
    """Running variance over the true one; the median of the channels."""


def kept_statistics(layer: str, module: nn.Module, moments: Moments) -> KeptStatistics | None:
    """Compare a batch norm's running statistics with its inputs; None of a layer that keeps none.

    Arguments:
        layer: its name.
        module: the layer.
        moments: what it is given.

    Returns:
        How far they are off.
    """
    mean, variance = module.running_mean, module.running_var
    if not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
        return None
    live = moments.live
    truth, true_variance = (moments.mean.mean(0) + moments.centre)[live], moments.variance[live]
    error = (mean.detach().double().cpu()[live] - truth) / true_variance.sqrt()
    ratio = variance.detach().double().cpu()[live] / true_variance
    counted = module.num_batches_tracked
    return KeptStatistics(
        layer,
        int(counted) if isinstance(counted, Tensor) else None,
        mean_error=float((error**2).mean().sqrt()),
        variance_ratio=float(ratio.median()),
    )


@dataclass(frozen=True)
class ModeGap:
    """One image through a batch norm in training and in evaluation mode, after `updates` batches."""

    updates: int | None
    """None for running statistics that are the true ones."""
    difference: float
    """Root mean square of the difference of both outputs, whose deviation is 1."""


def mode_gaps(*, seed: int, updates: Sequence[int] = (2, 10, 100), momentum: float = 0.1) -> tuple[ModeGap, ...]:
    """The chapter's code again: one image in both modes, for averages that are not there yet and for the true ones.

    What is left with the true ones is that an image has not exactly the statistics of all.

    Arguments:
        seed: of the values, normal with mean 5 and deviation 3.
        updates: batches of 16 that have gone into the running statistics.
        momentum: the share of each.

    Returns:
        The differences, that of the true statistics last.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "one image"))
    _, channels, height, width = SHAPE
    shape = (64, channels, height * width)
    images = MEAN + DEVIATION * torch.randn(shape, generator=generator, dtype=torch.float64)
    own = (images - images.mean(2, keepdim=True)) / (images.var(2, correction=0, keepdim=True) + EPS).sqrt()
    gaps = []
    for count in (*updates, None):
        left = 0.0 if count is None else (1 - momentum) ** count
        mean, variance = (1 - left) * MEAN, left + (1 - left) * DEVIATION**2
        gap = own - (images - mean) / math.sqrt(variance + EPS)
        gaps.append(ModeGap(count, float((gap**2).mean().sqrt())))
    return tuple(gaps)
