"""The families that filters are compared with: hand-made derivatives, blobs, and Gabor functions.

Templates are the kernels of `cnnlab.models.kernels`, weights as torch stores them, applied by cross-correlation; for a
larger window they are blurred to its size with a binomial filter, which makes Sobel's the larger Sobel of the field. A
derivative comes as a pair (across and upwards): a weighted sum of the two is a derivative in any direction.

The Gabor function nearest to a pattern is a wave under a Gaussian, A·exp(−(u² + γ²v²)/(2σ²))·cos(2πu/λ + φ), u along
the wave and v across it, from (x0, y0); it is told in degrees and pixels. Source: Daugman 1985, J. Opt. Soc.
Am. A 2:1160.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from cnnlab.inside.filters.fitting import Fitted, fit
from cnnlab.inside.filters.search import Family
from cnnlab.models.kernels import LAPLACIANS, Array, derivative, gabor_waves, gaussian_bump

SMALLEST = 3
"""Pixels along an axis of the smallest window in which a second derivative can be told from a first."""

PARAMETERS = {
    "constant": 1,
    "prewitt": 2,
    "sobel": 2,
    "scharr": 2,
    "laplacian": 1,
    "gaussian": 4,
    "difference of gaussians": 6,
    "gabor": 8,
}
"""Numbers that are free in a fit, amplitudes among them, in the order in which families are reported."""

FAMILIES = tuple(PARAMETERS)


def templates(name: str, height: int, width: int) -> tuple[Array, ...]:
    """The bases (pixels, amplitudes) of a linear family for a window of at least 3×3; the best of them counts."""
    assert min(height, width) >= SMALLEST, (height, width)
    if name == "constant":
        return (np.ones((height * width, 1)),)
    if name == "laplacian":
        return tuple(_widened(template, height, width).reshape(-1, 1) for template in LAPLACIANS)
    across, upwards = derivative(name), -derivative(name).T
    return (np.stack([_widened(across, height, width).ravel(), _widened(upwards, height, width).ravel()], axis=1),)


def _binomial(size: int) -> Array:
    row = np.ones(1)
    for _ in range(size - 1):
        row = np.convolve(row, (1.0, 1.0))
    return np.asarray(row / row.sum())


def _widened(template: Array, height: int, width: int) -> Array:
    """A 3×3 template blurred to the size of the window."""
    tall = np.apply_along_axis(np.convolve, 0, template, _binomial(height - 2))
    return np.asarray(np.apply_along_axis(np.convolve, 1, tall, _binomial(width - 2)))


def _points(*axes: Array | tuple[float, ...]) -> Array:
    """Every combination of the values of the axes, one a row."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def _places(size: int) -> Array:
    return np.linspace(-0.3, 0.3, 3) * size


def _gaussians(shapes: Array, x: Array, y: Array, *, ratios: bool) -> Array:
    across, up, sigma = x - shapes[..., :1], y - shapes[..., 1:2], shapes[..., 2:3]
    widths = [sigma, sigma * shapes[..., 3:4]] if ratios else [sigma]
    return np.stack([gaussian_bump(across, up, width) for width in widths], axis=-1)


def _gabor(shapes: Array, x: Array, y: Array) -> Array:
    x0, y0, angle, sigma, aspect, wavelength = (shapes[..., i : i + 1] for i in range(6))
    return np.stack(gabor_waves(x - x0, y - y0, angle, sigma, aspect, wavelength), axis=-1)


def _widths(h: int, w: int) -> Array:
    return np.geomspace(0.6, max(h, w) / 2, 5)


GAUSSIAN = Family(
    "gaussian",
    basis=lambda shapes, x, y: _gaussians(shapes, x, y, ratios=False),
    grid=lambda h, w: _points(_places(w), _places(h), _widths(h, w)),
    bounds=lambda h, w: (np.array([-w / 2, -h / 2, 0.25]), np.array([w / 2, h / 2, 2.0 * max(h, w)])),
)
"""Round: (x0, y0, σ) in px, one amplitude."""

DIFFERENCE_OF_GAUSSIANS = Family(
    "difference of gaussians",
    basis=lambda shapes, x, y: _gaussians(shapes, x, y, ratios=True),
    grid=lambda h, w: _points(_places(w), _places(h), _widths(h, w), (1.4, 2.5, 5.0)),
    bounds=lambda h, w: (np.array([-w / 2, -h / 2, 0.25, 1.1]), np.array([w / 2, h / 2, 2.0 * max(h, w), 8.0])),
)
"""Concentric and round: (x0, y0, σ of the centre in px, σ of the surround over it), two amplitudes."""

GABOR = Family(
    "gabor",
    basis=_gabor,
    grid=lambda h, w: _points(
        _places(w),
        _places(h),
        np.arange(12) * np.pi / 12,
        np.geomspace(0.8, max(h, w) / 2, 4),
        (0.5, 1.0),
        np.geomspace(2.2, 2.0 * max(h, w), 6),
    ),
    bounds=lambda h, w: (
        np.array([-w / 2, -h / 2, -np.inf, 0.5, 0.2, 2.0]),
        np.array([w / 2, h / 2, np.inf, 1.0 * max(h, w), 2.5, 2.0 * max(h, w)]),
    ),
)
"""(x0, y0, angle of the wave, σ along it, aspect, wavelength): px and radians; amplitudes of cosine and sine.

From the shortest wavelength that pixels can hold (2 px) to half a wave in the window. Source: Daugman 1985, J. Opt.
Soc. Am. A 2:1160; fitted to measured fields by Jones & Palmer 1987, J. Neurophysiol. 58:1233.
"""


@dataclass(frozen=True)
class Gabor:
    """A fitted Gabor function; x to the right and y upwards, in px from the middle of the window."""

    orientation: float
    """Degrees of the stripes, counter-clockwise from the horizontal, 0 ≤ … < 180: 90 is a vertical stripe."""
    wavelength: float
    """λ in px; 2 … twice the window."""
    phase: float
    """φ in degrees, −180 < … ≤ 180, along the wave's direction, orientation − 90 or + 90, whichever lies in 0 … 180.
    0 is even with a positive middle, ±180 even with a negative one, ±90 odd: an edge."""
    sigma: float
    """Width of the Gaussian along the wave, in px."""
    aspect: float
    """γ: below 1 the Gaussian is longer along the stripes."""
    x: float
    y: float
    amplitude: float
    """Amplitude in units of the weights, positive."""
    cycles: float
    """Waves within ±2σ, or within the window if that is smaller."""
    explained: float
    """R², the share of the pattern's energy, 0 … 1."""

    @property
    def odd(self) -> bool:
        """Nearer to a sine than to a cosine: dark on one side, light on the other."""
        return abs(math.sin(math.radians(self.phase))) >= math.sqrt(0.5)


def fit_gabors(patterns: Float64[np.ndarray, "n h w"], *, starts: int = 6) -> tuple[Gabor, ...]:
    """The Gabor functions that explain most of each pattern, from the `starts` best of some thousand grid points."""
    height, width = patterns.shape[1:]
    return tuple(_told(fitted, height, width) for fitted in fit(GABOR, patterns, starts=starts))


def _told(fitted: Fitted, height: int, width: int) -> Gabor:
    x, y, angle, sigma, aspect, wavelength = map(float, fitted.shape)
    cosine, sine = map(float, fitted.amplitudes)
    phase = math.degrees(math.atan2(-sine, cosine))
    turned = math.degrees(angle) % 360
    if turned >= 180:  # the same function seen from its other end
        turned, phase = turned - 180, -phase
    along = abs(width * math.cos(angle)) + abs(height * math.sin(angle))
    return Gabor(
        orientation=(turned + 90) % 180,
        wavelength=wavelength,
        phase=180.0 if phase == -180 else phase,
        sigma=sigma,
        aspect=aspect,
        x=x,
        y=y,
        amplitude=math.hypot(cosine, sine),
        cycles=min(4 * sigma, along) / wavelength,
        explained=fitted.explained,
    )
