"""The filters of a convolution: their weights as torch stores them, their display, colours and frequency response.

Weights are (filters, input channels, height, width) and applied by cross-correlation: no flip. A textbook convolution
would use them turned by 180°, which reverses the sign of an odd filter and leaves an even one as it is.

A filter (channels, height, width) is a matrix of channels × pixels; its first singular pair is the best single
colour ⊗ pattern in the least squares sense (Eckart & Young 1936, Psychometrika 1:211). The opponent axes are those of
the difference signals in the retina, as an orthonormal basis of red, green and blue *as the network gets them*: where
inputs are normalised per channel, a step of 1 is one standard deviation of each.

The frequency response is the magnitude of the 2-D Fourier transform of a pattern padded with zeros; unlike the phase it
does not depend on where the pattern stands nor on whether it is correlated or convolved. Frequencies are in cycles per
pixel, at most ½ on an axis (Nyquist). A pass band is told by the usual −3 dB: a gain of at least 1/√2 of the peak's.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from cnnlab.core.errors import WorkError

DISPLAY_EPSILON = 1e-8
"""Keeps a constant filter from being divided by zero; it is then black."""

AXES = ("luminance", "red-green", "blue-yellow")
"""(1, 1, 1)/√3, (1, −1, 0)/√2 and (−1, −1, 2)/√6 of (red, green, blue)."""

_DIRECTIONS = torch.tensor(
    [[1 / math.sqrt(3)] * 3, [1 / math.sqrt(2), -1 / math.sqrt(2), 0.0], [-1 / math.sqrt(6)] * 2 + [2 / math.sqrt(6)]],
    dtype=torch.float64,
)

SIZE = 64
"""Samples of the response along an axis: steps of 1/64 cycle per pixel."""
HALF_POWER = 1 / math.sqrt(2)

Band = Literal["low-pass", "band-pass", "high-pass", "all-pass"]


def filter_grid(weights: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Display data only: each filter between its own least (0) and largest weight (1), so that magnitudes are gone.

    (w − min)/(max − min + 1e-8) over all channels of a filter together, which keeps the colours of a filter and hides
    its size.
    """
    flat = weights.detach().flatten(1)
    low, high = flat.amin(1)[:, None, None, None], flat.amax(1)[:, None, None, None]
    return (weights.detach() - low) / (high - low + DISPLAY_EPSILON)


def random_filters(shape: tuple[int, int, int], *, count: int, seed: int) -> Float[Tensor, "n c h w"]:
    """`count` filters of `shape` (channels, height, width) with independent standard normal weights: the null.

    What is measured of a filter does not depend on its scale, so a standard deviation of 1 stands for any.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator)


@dataclass(frozen=True, eq=False)
class ColourPatterns:
    """The first singular pair of each filter: filter ≈ colour ⊗ pattern."""

    patterns: Float64[Tensor, "n h w"]
    """Patterns in units of the weights. With one input channel this is the filter itself."""
    colours: Float64[Tensor, "n c"]
    """Colours of length 1; the entry of largest size is positive, which fixes the sign of the pattern."""
    shares: Float64[Tensor, "n"]
    """Share of the filter's energy Σw², 0 … 1; 0 for a filter of zeros."""


@dataclass(frozen=True)
class ColourShares:
    """Shares of the energy Σw² of a three-channel filter; the three axes sum to 1 (to 0 for a filter of zeros)."""

    luminance: float
    red_green: float
    blue_yellow: float
    nearest: str
    """The axis nearest to the principal colour …"""
    chroma_of_principal: float
    """Share of that colour's squared length across luminance: 0 grey, 1 pure colour difference."""

    @property
    def chroma(self) -> float:
        """The share across luminance, 0 … 1. Random weights have 2/3: two of the three axes."""
        return self.red_green + self.blue_yellow


def colour_patterns(weights: Float[Tensor, "n c h w"]) -> ColourPatterns:
    """The principal colour and pattern of each filter.

    Raises: WorkError where a weight is NaN or infinite.
    """
    filters = weights.detach().cpu().double()
    finite = filters.flatten(1).isfinite().all(1)
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0, 0])
        raise WorkError(f"filter {first} has weights that are NaN or infinite: the training that made it diverged")
    n, c, h, w = filters.shape
    u, s, v = torch.linalg.svd(filters.reshape(n, c, h * w), full_matrices=False)
    colours, patterns = u[:, :, 0], s[:, :1] * v[:, 0]
    largest = colours.gather(1, colours.abs().argmax(1, keepdim=True))
    sign = torch.where(largest < 0, -1.0, 1.0).double()
    energy = (s**2).sum(1)
    shares = torch.where(energy > 0, s[:, 0] ** 2 / energy.clamp_min(torch.finfo(torch.float64).tiny), 0.0)
    return ColourPatterns((patterns * sign).reshape(n, h, w), colours * sign, shares)


def colour_shares(weights: Float[Tensor, "3 h w"], colour: Float64[Tensor, "3"]) -> ColourShares:
    """The energy of one filter along the opponent axes, and the axis nearest to its principal colour."""
    projected = _DIRECTIONS @ weights.detach().cpu().double().flatten(1)
    energy = (projected**2).sum(1)
    total = float(energy.sum())
    luminance, red_green, blue_yellow = (float(e) / total if total > 0 else 0.0 for e in energy)
    along = (_DIRECTIONS @ colour) ** 2
    return ColourShares(luminance, red_green, blue_yellow, AXES[int(along.argmax())], float(along[1:].sum()))


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
