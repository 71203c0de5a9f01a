"""Images as spectra: a parametrisation in which a step of ascent moves all spatial frequencies alike.

C. Olah, A. Mordvintsev, L. Schubert, "Feature visualization", Distill 2017, doi:10.23915/distill.00007, section
"Preconditioning and parameterization". Amplitudes are multiplied by 1/frequency, as natural images have them
(Field 1987, J. Opt. Soc. Am. A 4:2379); otherwise ascent ends in fine noise.

Colours vary independently, in a basis in which the channels of natural images are uncorrelated.
Red, green and blue rise and fall together, so ascent on them one by one gives images in garish colours (Olah et al.
2017, doi:10.23915/distill.00007, section "Preconditioning and parameterization").

The network sees views of the image, shifted, turned and scaled a little, so that no answer hangs on single pixels
(section "Transformation robustness" there).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

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


@dataclass(frozen=True)
class Views:
    """How far views may differ from the image; each is drawn evenly from its range."""

    count: int = 4
    """Views a step; their gradients are averaged."""
    jitter: float = 1 / 16
    """Largest shift along an axis, as a share of its pixels; shifts are whole pixels."""
    rotation: float = 5.0
    """Largest turn, in degrees either way."""
    scale: tuple[float, float] = (0.95, 1.05)
    """Magnification."""

    def __post_init__(self) -> None:
        low, high = self.scale
        if self.count < 1 or self.jitter < 0 or self.rotation < 0 or not 0 < low <= high:
            raise ValueError(f"{self}: expected count ≥ 1, jitter and rotation ≥ 0, and 0 < low ≤ high scale")


UNMOVED = Views(count=1, jitter=0.0, rotation=0.0, scale=(1.0, 1.0))
"""The image itself."""


def drawn_views(
    image: Float[Tensor, "c h w"], views: Views, generator: torch.Generator
) -> Float[Tensor, "views c h w"]:
    """Views drawn from `generator`, a CPU generator: the same numbers on every device."""
    height, width = image.shape[1:]

    def even(low: float, high: float) -> Float[Tensor, "views"]:
        return low + (high - low) * torch.rand(views.count, generator=generator)

    most_x, most_y = views.jitter * width, views.jitter * height
    shifts = torch.stack([even(-most_x, most_x).round(), even(-most_y, most_y).round()], dim=1)
    angles = even(-views.rotation, views.rotation)
    return placed(image, shifts=shifts, angles=angles, scales=even(*views.scale))


def placed(
    image: Float[Tensor, "c h w"],
    *,
    shifts: Float[Tensor, "v 2"],
    angles: Float[Tensor, "v"],
    scales: Float[Tensor, "v"],
) -> Float[Tensor, "v c h w"]:
    """The image magnified by `scales`, turned counter-clockwise by `angles` (degrees) about its middle, then shifted.

    Shifts are (right, down) in px. Bilinear, in one go; beyond its border the image is mirrored.
    """
    height, width = image.shape[1:]
    radians = angles * math.pi / 180
    cosine, sine = radians.cos() / scales, radians.sin() / scales
    # From the view back to the image, in px from the middle, y downwards: x = cos·x' − sin·y', y = sin·x' + cos·y'
    x0 = -(cosine * shifts[:, 0] - sine * shifts[:, 1])
    y0 = -(sine * shifts[:, 0] + cosine * shifts[:, 1])
    across = torch.stack([cosine, -sine * height / width, 2 * x0 / width], dim=1)
    down = torch.stack([sine * width / height, cosine, 2 * y0 / height], dim=1)
    count = len(angles)
    theta = torch.stack([across, down], dim=1).to(image)
    grid = F.affine_grid(theta, [count, len(image), height, width], align_corners=False)
    repeated = image.expand(count, -1, -1, -1)
    return F.grid_sample(repeated, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
