"""How far the mean and the variance of a batch scatter about the true ones, by the size of the batch.

Of batches of m images drawn independently, with σ² the variance of all values and σ_b² that of the images' means:

    variance of the batch mean        = σ_b²/m          (σ²/(m·H·W) where the pixels of an image are independent, too)
    expectation of the batch variance = σ² − σ_b²/m     (the biased one, by which the batch is normalised)

n = σ²/σ_b² independent values are in an image, instead of H·W. The variance of the *output* is σ_B²/(σ_B² + ε) in
every batch, whatever its size: nothing of the scatter can be seen there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnlab.core.seeds import derive_seed
from cnnlab.probe.norm.moments import Moments, drawn_batches

SIZES = (256, 64, 16, 4, 2)
"""Images of a batch, as the chapter's exercise has them."""

REPEATS = 400
"""Batches of each size: the deviation over so many is right to 1/√(2·400), or 3.5 %, in each channel."""


@dataclass(frozen=True)
class Scatter:
    """Batches of one size, in units of the true deviation and variance; each number is a mean over the channels."""

    size: int
    """Images, m."""
    mean_bias: float
    """Mean of the batch means less the true mean, in deviations."""
    mean_deviation: float
    """Deviation of the batch means over repeats, in deviations."""
    mean_expected: float
    """The same from the closed form, σ_b/(σ·√m)."""
    mean_independent: float
    """The same if all pixels were independent, 1/√(m·H·W)."""
    variance_bias: float
    """Mean of the batch variances over the true one, less 1."""
    variance_bias_expected: float
    """The same from the closed form, −σ_b²/(σ²·m)."""
    variance_deviation: float
    """Deviation of the batch variances over repeats, in true variances."""
    variance_lowest: float
    """Of a typical channel the variance that 1 batch in 40 lies below, in true variances, …"""
    variance_highest: float
    """… and the one that 1 in 40 lies above."""
    output_variance: float
    """Mean of σ_B²/(σ_B² + ε), the variance of what the layer puts out with γ = 1."""
    output_deviation: float
    """Its deviation over repeats."""


@dataclass(frozen=True)
class LayerScatter:
    """One batch norm, over all sizes."""

    layer: str
    images: int
    """Images that batches are drawn from, with replacement."""
    positions: int
    """H·W."""
    effective: float
    """Independent values that an image is worth."""
    sizes: tuple[Scatter, ...]


def batch_scatter(
    layer: str, moments: Moments, *, seed: int, sizes: Sequence[int] = SIZES, repeats: int = REPEATS
) -> LayerScatter:
    """Draw batches of each size, and compare their statistics with those of all images.

    Arguments:
        layer: its name.
        moments: what it is given.
        seed: of the batches.
        sizes: images of a batch.
        repeats: batches of each size.

    Returns:
        Bias and deviation by size, beside the closed forms; channels that never vary are left out.
    """
    live = moments.live
    variance, between = moments.variance[live], moments.between[live]
    deviation = variance.sqrt()
    truth = moments.mean.mean(0)[live]
    found = []
    for size in sizes:
        generator = torch.Generator().manual_seed(derive_seed(seed, "batch statistics", layer, size))
        mean, batch = (
            one[:, live] for one in moments.batches(drawn_batches(len(moments.mean), size, repeats, generator))
        )
        output = batch / (batch + moments.eps)
        relative = batch / variance
        low, high = torch.quantile(relative, torch.tensor([0.025, 0.975], dtype=torch.float64), dim=0)
        found.append(
            Scatter(
                size,
                mean_bias=_average((mean.mean(0) - truth) / deviation),
                mean_deviation=_rms(mean.std(0) / deviation),
                mean_expected=_rms((between / size).sqrt() / deviation),
                mean_independent=(size * moments.positions) ** -0.5,
                variance_bias=_average(relative.mean(0) - 1),
                variance_bias_expected=_average(-between / (variance * size)),
                variance_deviation=_rms(relative.std(0)),
                variance_lowest=_average(low),
                variance_highest=_average(high),
                output_variance=_average(output.mean(0)),
                output_deviation=_rms(output.std(0)),
            )
        )
    return LayerScatter(layer, len(moments.mean), moments.positions, moments.effective_positions, tuple(found))


def _average(values: Tensor) -> float:
    return float(values.mean())


def _rms(values: Tensor) -> float:
    return float((values**2).mean().sqrt())
