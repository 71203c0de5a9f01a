"""Images as spectra: a parametrisation in which a step of ascent moves all spatial frequencies alike.

C. Olah, A. Mordvintsev, L. Schubert, "Feature visualization", Distill 2017, doi:10.23915/distill.00007, section
"Preconditioning and parameterization". Amplitudes are multiplied by 1/frequency, as natural images have them
(Field 1987, J. Opt. Soc. Am. A 4:2379); otherwise ascent ends in fine noise.

Colours vary independently, in a basis in which the channels of natural images are uncorrelated.
Red, green and blue rise and fall together, so ascent on them one by one gives images in garish colours (Olah et al.
2017, doi:10.23915/distill.00007, section "Preconditioning and parameterization").
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

START = 0.01
"""Standard deviation of a fresh spectrum's coefficients: a nearly grey image, 0.5 ± 0.02."""
OCTAVE = 16
"""Pixels along the shorter side for one octave: 32 px have one, 64 px two, 224 px three."""


def radial_frequencies(height: int, width: int) -> Float[Tensor, "height half"]:
    """Frequencies of a real image's spectrum, in cycles per pixel, 0 … ½·√2; half = width // 2 + 1."""
    vertical = torch.fft.fftfreq(height)[:, None]
    horizontal = torch.fft.rfftfreq(width)
    return torch.sqrt(vertical**2 + horizontal**2)


def fresh_spectrum(
    channels: int, height: int, width: int, generator: torch.Generator
) -> Float[Tensor, "channels height half 2"]:
    """Independent normal coefficients (real and imaginary parts last) before their scaling by 1/frequency."""
    return START * torch.randn(channels, height, width // 2 + 1, 2, generator=generator)


def pixels(
    spectrum: Float[Tensor, "c height half 2"], width: int, *, highest: float = math.inf
) -> Float[Tensor, "c height width"]:
    """The image of a spectrum, unbounded values around 0; frequencies above `highest` (cycles/px) are left out.

    The least frequency of a scale is that of one wave in the longer side, so that the mean is not multiplied by ∞.
    """
    height = spectrum.shape[1]
    radial = radial_frequencies(height, width).to(spectrum)
    scale = torch.where(radial <= highest, 1 / radial.clamp_min(1 / max(height, width)), 0.0)
    waves = torch.view_as_complex(spectrum.contiguous()) * scale
    image: Tensor = torch.fft.irfft2(waves, s=(height, width), norm="ortho")
    return image


def default_octaves(height: int, width: int) -> int:
    """How many octaves of frequencies are opened one after another: one for each doubling beyond `OCTAVE` pixels."""
    return max(1, int(math.log2(min(height, width) / OCTAVE)))


def highest_frequency(step: int, steps: int, octaves: int) -> float:
    """Up to which frequency (cycles per pixel) step 0 … steps − 1 may move; each octave gets an equal share of steps.

    Coarse structure first keeps fine noise from settling what the image is of; the last share moves everything.
    """
    behind = octaves - 1 - step * octaves // steps
    return math.inf if behind == 0 else 0.5 / 2**behind


IMAGENET_COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""U·√S of the covariance U·S·Uᵀ of ImageNet's pixels, rounded: rows red, green, blue; columns light, then the two
opponent directions. Source: the constants published with Olah et al., tensorflow/lucid, `optvis/param/color.py`."""


def decorrelated(pixels: Float[Tensor, "c h w"], directions: Float[Tensor, "c c"]) -> Float[Tensor, "c h w"]:
    """Channels as weighted sums of independent ones; the longest direction has length 1, so that contrast is kept."""
    longest = directions.norm(dim=0).max()
    return torch.einsum("ij,jhw->ihw", directions.to(pixels) / longest.to(pixels), pixels)
