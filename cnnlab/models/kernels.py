"""Hand-made kernels by name: derivatives, blurs, sharpening, Gabor functions.

Weights are told as they are applied, by cross-correlation: no flip. So `sobel_x` is positive where brightness rises to
the right, and `sobel_y` where it rises downwards. The first derivatives are those of Prewitt 1970, Sobel & Feldman 1968
and Scharr 2000 (dissertation, Heidelberg, section 9.3); the Gabor function is that of Daugman 1985, J. Opt. Soc. Am. A
2:1160.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from cnnlab.core.errors import RequestError
from cnnlab.core.registry import Registry

KERNELS = Registry("kernel", supplies=())
"""Functions that give the weights of a kernel, (height, width) in float64."""

Array = np.ndarray[Any, np.dtype[np.float64]]

LARGEST = 255
"""Pixels along a side of a kernel."""

Size = Annotated[int, Field(ge=1, le=LARGEST)]
Sigma = Annotated[float, Field(gt=0, le=100)]
"""Width of a Gaussian in px."""
Angle = Annotated[float, Field(ge=-360, le=360)]
"""Degrees counter-clockwise from the horizontal."""

SMOOTHING = {"prewitt": (1.0, 1.0, 1.0), "sobel": (1.0, 2.0, 1.0), "scharr": (3.0, 10.0, 3.0)}
"""First derivatives by what they smooth with across their direction."""

LAPLACIANS = (
    np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]),
    np.array([[1.0, 1.0, 1.0], [1.0, -8.0, 1.0], [1.0, 1.0, 1.0]]),
)
"""Second derivatives: of the four nearest pixels, and of all eight."""


def derivative(name: str) -> Float64[np.ndarray, "3 3"]:
    """The first derivative to the right; turned over its diagonal (`.T`) it is the one downwards."""
    return np.outer(SMOOTHING[name], (-1.0, 0.0, 1.0))


def coordinates(height: int, width: int) -> tuple[Float64[np.ndarray, "p"], Float64[np.ndarray, "p"]]:
    """(x, y) of the pixels of a window, row by row, in px from its centre: x to the right, y upwards."""
    rows, columns = np.indices((height, width), dtype=np.float64)
    return (columns - (width - 1) / 2).ravel(), ((height - 1) / 2 - rows).ravel()


def gaussian_bump(x: Array, y: Array, sigma: Array | float) -> Array:
    """exp(−(x² + y²)/(2σ²)): 1 in the middle; all in px."""
    return np.asarray(np.exp(-(x**2 + y**2) / (2 * sigma**2)))


def gabor_waves(
    x: Array, y: Array, angle: Array | float, sigma: Array | float, aspect: Array | float, wavelength: Array | float
) -> tuple[Array, Array]:
    """The even and the odd wave under a Gaussian: exp(−(u² + γ²v²)/(2σ²)) times cos and sin of 2πu/λ.

    u runs along the wave, at `angle` (radians, counter-clockwise), v across it; `sigma` and `wavelength` in px.
    """
    u = x * np.cos(angle) + y * np.sin(angle)
    v = y * np.cos(angle) - x * np.sin(angle)
    envelope = gaussian_bump(u, aspect * v, sigma)
    wave = 2 * np.pi * u / wavelength
    return envelope * np.cos(wave), envelope * np.sin(wave)


def _register_derivatives(name: str) -> None:
    """`NAME_x`, `NAME_y`, and `NAME` in any direction: a weighted sum of the two."""
    rows = " / ".join(" ".join(f"{value:g}" for value in row) for row in derivative(name))
    title = name.capitalize()

    def across() -> Float64[np.ndarray, "3 3"]:
        return derivative(name)

    def downwards() -> Float64[np.ndarray, "3 3"]:
        return derivative(name).T

    def turned(*, angle: Angle = 0.0) -> Float64[np.ndarray, "3 3"]:
        right, down = math.cos(math.radians(angle)), -math.sin(math.radians(angle))
        return right * derivative(name) + down * derivative(name).T

    across.__doc__ = f"{title}'s derivative to the right, {rows}: vertical edges."
    downwards.__doc__ = f"{title}'s derivative downwards: horizontal edges."
    turned.__doc__ = f"{title}'s derivative in the direction `angle`: 0 is to the right, 90 upwards."
    kinds: dict[str, Callable[..., Array]] = {f"{name}_x": across, f"{name}_y": downwards, name: turned}
    for registered, kernel in kinds.items():
        KERNELS.register(registered)(kernel)


for _name in SMOOTHING:
    _register_derivatives(_name)


@KERNELS.register("laplacian")
def laplacian(*, corners: bool = False) -> Float64[np.ndarray, "3 3"]:
    """The second derivative in all directions, 0 1 0 / 1 -4 1 / 0 1 0; with `corners` of all eight neighbours."""
    return np.array(LAPLACIANS[corners])


@KERNELS.register("identity")
def identity(*, size: Size = 3) -> Float64[np.ndarray, "size size"]:
    """A 1 in the middle (of an even size the pixel above and left of it), zeros around it: the image as it is."""
    kernel = np.zeros((size, size))
    kernel[(size - 1) // 2, (size - 1) // 2] = 1.0
    return kernel


@KERNELS.register("box")
def box(*, size: Size = 3) -> Float64[np.ndarray, "size size"]:
    """The mean of `size` × `size` pixels."""
    return np.full((size, size), 1 / size**2)


@KERNELS.register("gaussian")
def gaussian(*, sigma: Sigma = 1.0, size: Size | None = None) -> Float64[np.ndarray, "size size"]:
    """A Gaussian blur of width `sigma` px whose weights add up to 1; by default as large as ±3σ."""
    kernel = gaussian_bump(*_window(size, 3 * sigma), sigma)
    return np.asarray(kernel / kernel.sum())


@KERNELS.register("sharpen")
def sharpen(*, amount: Annotated[float, Field(gt=0, le=100)] = 1.0) -> Float64[np.ndarray, "3 3"]:
    """The image less `amount` times its Laplacian: 0 -1 0 / -1 5 -1 / 0 -1 0."""
    return np.asarray(identity() - amount * laplacian())


@KERNELS.register("emboss")
def emboss() -> Float64[np.ndarray, "3 3"]:
    """The image as a relief that is lit from the upper left: -2 -1 0 / -1 1 1 / 0 1 2."""
    return np.array([[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])


@KERNELS.register("difference_of_gaussians")
def difference_of_gaussians(
    *, sigma: Sigma = 1.0, ratio: Annotated[float, Field(gt=1, le=10)] = 1.6
) -> Float64[np.ndarray, "size size"]:
    """A narrow Gaussian less one that is `ratio` times as wide: blobs, as in the retina; 1.6 is near a Laplacian.

    Source: Marr & Hildreth 1980, Proc. R. Soc. B 207:187.
    """
    wide = gaussian(sigma=ratio * sigma)
    return np.asarray(gaussian(sigma=sigma, size=len(wide)) - wide)


@KERNELS.register("gabor")
def gabor(
    *,
    angle: Angle = 0.0,
    wavelength: Annotated[float, Field(ge=2, le=200)] = 6.0,
    phase: Angle = 0.0,
    sigma: Sigma | None = None,
    aspect: Annotated[float, Field(ge=0.1, le=10)] = 1.0,
    size: Size | None = None,
) -> Float64[np.ndarray, "size size"]:
    """A wave under a Gaussian, in the direction `angle`: gratings of `wavelength` px; phase 90 answers to edges.

    `sigma` is the Gaussian's width along the wave, by default half a wavelength; `aspect` below 1 makes it longer along
    the stripes; by default it is as large as ±3σ.
    """
    width = wavelength / 2 if sigma is None else sigma
    x, y = _window(size, 3 * width / min(1.0, aspect))
    even, odd = gabor_waves(x, y, math.radians(angle), width, aspect, wavelength)
    # cos(wave − φ): at 90 the sine, which rises along the wave
    return np.asarray(math.cos(math.radians(phase)) * even + math.sin(math.radians(phase)) * odd)


def _window(size: int | None, reach: float) -> tuple[Array, Array]:
    """(x, y) of a square of `size` px, by default of one that reaches `reach` px to each side of its middle.

    Raises: RequestError where that is larger than a kernel may be.
    """
    side = 2 * math.ceil(reach) + 1 if size is None else size
    if side > LARGEST:
        raise RequestError(f"it would be {side} × {side} px, {LARGEST} at most; give its 'size'")
    x, y = coordinates(side, side)
    return x.reshape(side, side), y.reshape(side, side)
