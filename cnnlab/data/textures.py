"""Natural-looking colour and texture: 1/f noise, and colours of a given brightness.

The amplitude spectrum of natural images falls off as about 1/f, and most of their variance is brightness.
Source: Field 1987, J. Opt. Soc. Am. A 4(12), 2379-2394; luma weights of ITU-R BT.601.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness."""

_OPPONENT = ((1.0, 0.35, 0.15), (1.0, -0.15, -0.1), (1.0, -0.15, 0.45))
"""From (brightness, red against green, blue against yellow) to colour; colour varies less than brightness."""


def luma(colours: Float[Tensor, "n 3 *place"]) -> Float[Tensor, "n *place"]:
    """Brightness, in the units of `colours`."""
    red, green, blue = colours.unbind(1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def power_law_noise(exponents: Float[Tensor, "n"], size: int, generator: Generator) -> Float[Tensor, "n 3 size size"]:
    """Colour noise with amplitudes f^(-exponent), of mean 0 and brightness of standard deviation 1; it tiles."""
    half = size // 2 + 1
    spectrum = torch.view_as_complex(torch.randn(len(exponents), 3, size, half, 2, generator=generator))
    frequency = torch.hypot(torch.fft.fftfreq(size)[:, None] * size, torch.fft.rfftfreq(size)[None] * size)
    frequency[0, 0] = 1
    amplitude = torch.exp(-exponents[:, None, None] * frequency.log())
    amplitude[:, 0, 0] = 0
    noise = torch.fft.irfft2(spectrum * amplitude[:, None], s=(size, size), norm="forward")
    # the variance follows from the spectrum, so it need not be measured: a column stands for its mirror image as well
    # (twice the real part: 4), but the first and, of an even size, the last are their own (the real part: 1)
    power = torch.full((half,), 4.0)
    power[0] = 1.0
    if size % 2 == 0:
        power[-1] = 1.0
    spread = (power * amplitude.square()).sum((1, 2)).sqrt().clamp_min(1e-6)
    noise = noise / spread[:, None, None, None]
    return torch.einsum("co,nohw->nchw", torch.tensor(_OPPONENT), noise)


def colours_of(
    brightness: Float[Tensor, "n"], chroma: Float[Tensor, "n"], generator: Generator
) -> Float[Tensor, "n 3"]:
    """Random hues of exactly the wanted brightness (0 to 1), as far from grey as `chroma` and the gamut allow."""
    direction = torch.randn(len(brightness), 3, generator=generator)
    direction = direction - luma(direction)[:, None]
    direction = direction / direction.abs().amax(1, keepdim=True).clamp_min(1e-6)
    room = torch.where(direction > 0, 1 - brightness[:, None], brightness[:, None]) / direction.abs().clamp_min(1e-6)
    reach = torch.minimum(room.amin(1), chroma)
    return (brightness[:, None] + direction * reach[:, None]).clamp(0, 1)


def contrasting(reference: Float[Tensor, "n"], least: float, draw: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """A brightness in [0.06, 0.94] that differs from `reference` by at least `least`.

    Evenly over all of those by `draw` in [0, 1).
    """
    low, high = 0.06, 0.94
    assert high - low > 2 * least, "there must always be such a brightness"
    below = ((reference - least).clamp_max(high) - low).clamp_min(0)
    above = (high - (reference + least).clamp_min(low)).clamp_min(0)
    step = draw * (below + above)
    return torch.where(step < below, low + step, high - (below + above - step))
