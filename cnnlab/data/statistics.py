"""Mean and standard deviation of each channel, exact."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor


@dataclass(frozen=True)
class ChannelStatistics:
    """Per channel, of pixels in [0, 1]; `std` is that of the population (divided by n, not n − 1)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def channel_statistics(images: UInt8[Tensor, "n c h w"]) -> ChannelStatistics:
    """Over all pixels of all images, from the histogram of the 256 values: whole numbers, so nothing is rounded."""
    means, deviations = [], []
    for channel in images.unbind(1):
        counts = torch.bincount(channel.flatten(), minlength=256).tolist()
        total = sum(counts)
        first = sum(count * value for value, count in enumerate(counts))
        second = sum(count * value * value for value, count in enumerate(counts))
        means.append(first / total / 255)
        # n·Σx² − (Σx)² is exact in Python's integers; Σx²/n − mean² of floats would lose digits where std is small.
        deviations.append(math.sqrt(total * second - first * first) / total / 255)
    return ChannelStatistics(tuple(means), tuple(deviations))
