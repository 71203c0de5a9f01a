"""The Gabor function nearest to a pattern: a wave under a Gaussian, in degrees and pixels.

g(u, v) = A·exp(−(u² + γ²v²)/(2σ²))·cos(2πu/λ + φ), u along the wave and v across it, from (x0, y0). Source: Daugman
1985, J. Opt. Soc. Am. A 2:1160.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from cnnlab.inside.filters.families import GABOR
from cnnlab.inside.filters.fitting import fit


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


def fit_gabor(pattern: Float64[np.ndarray, "h w"], *, starts: int = 3) -> Gabor:
    """The Gabor function that explains most of `pattern`, from the `starts` best of some thousand grid points."""
    fitted = fit(GABOR, pattern, starts=starts)
    x, y, angle, sigma, aspect, wavelength = map(float, fitted.shape)
    cosine, sine = map(float, fitted.amplitudes)
    phase = math.degrees(math.atan2(-sine, cosine))
    turned = math.degrees(angle) % 360
    if turned >= 180:  # the same function seen from its other end
        turned, phase = turned - 180, -phase
    height, width = pattern.shape
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
