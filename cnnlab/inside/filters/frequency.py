"""The frequency response of filters: which spatial frequencies they let through.

The magnitude of the 2-D Fourier transform of a pattern padded with zeros; unlike the phase it does not depend on where
the pattern stands nor on whether it is correlated or convolved. Frequencies are in cycles per pixel, at most ½ on an
axis (Nyquist). A pass band is told by the usual −3 dB: a gain of at least 1/√2 of the peak's.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

SIZE = 64
"""Samples of the response along an axis: steps of 1/64 cycle per pixel."""
HALF_POWER = 1 / math.sqrt(2)

Band = Literal["low-pass", "band-pass", "high-pass", "all-pass"]


@dataclass(frozen=True)
class PassBand:
    """What a pattern lets through."""

    band: Band
    peak: float
    """The frequency of the largest gain in cycles per pixel, 0 … 0.71 (the corner, ½·√2)."""
    peak_direction: float
    """Its direction in degrees counter-clockwise from the horizontal, 0 … 180; its stripes stand across it."""
    peak_gain: float
    """Output amplitude for a wave of amplitude 1 there."""
    zero_gain: float
    """|Σw|: what a constant input gives."""
    nyquist_gain: float
    """The largest gain at ½ cycle per pixel on either axis."""


def frequency_response(patterns: Float64[Tensor, "n h w"], *, size: int = SIZE) -> Float64[Tensor, "n size size"]:
    """The gain at (rows, columns) of `frequencies(size)`: zero frequency in the middle, no unit but the weights'.

    Raises: ValueError where `size` is smaller than a pattern: the response would be that of a cut one.
    """
    if size < max(patterns.shape[1:]):
        raise ValueError(f"a response of {size} samples for patterns of {tuple(patterns.shape[1:])}")
    response: Tensor = torch.fft.fftshift(torch.fft.fft2(patterns, s=(size, size)).abs(), dim=(1, 2))
    return response


def frequencies(size: int = SIZE) -> Float64[Tensor, "size"]:
    """The samples' frequencies along an axis in cycles per pixel, −½ … ½."""
    axis: Tensor = torch.fft.fftshift(torch.fft.fftfreq(size, dtype=torch.float64))
    return axis


def pass_bands(patterns: Float64[Tensor, "n h w"]) -> tuple[PassBand, ...]:
    """The pass band of each pattern.

    Low-pass: a constant passes at half the peak's power or more, and nothing at Nyquist does; high-pass: the other way
    round; band-pass: neither; all-pass: both (and a pattern of zeros, which has no band).
    """
    size = max(SIZE, *patterns.shape[1:])
    size += size % 2  # an odd number of samples would miss Nyquist
    response, axis = frequency_response(patterns, size=size), frequencies(size)
    half = size // 2
    made = []
    for gain in response:
        row, column = divmod(int(gain.argmax()), size)
        # rows count downwards, directions counter-clockwise: the vertical frequency changes its sign
        up, right = -float(axis[row]), float(axis[column])
        peak, zero, nyquist = float(gain.max()), float(gain[half, half]), float(max(gain[0].max(), gain[:, 0].max()))
        low, high = zero >= HALF_POWER * peak, nyquist >= HALF_POWER * peak
        band: Band = "all-pass" if low and high else "low-pass" if low else "high-pass" if high else "band-pass"
        direction = math.degrees(math.atan2(up, right)) % 180.0
        made.append(PassBand(band, math.hypot(up, right), direction, peak, zero, nyquist))
    return tuple(made)
