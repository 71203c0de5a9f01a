"""Images and maps moved, turned and scaled without loss: all of them as one period of what repeats for ever.

A shift is a phase for each frequency (the Fourier shift theorem), which is exact for what has no frequency beyond half
a cycle per cell. A turn is three shears, each a shift of every row or column (Unser, Thévenaz & Yaroslavsky 1995,
"Convolution-based interpolation for fast, high-quality rotation of images"), a scale one matrix for each axis.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

Real = float | int

WHOLE = 1e-6
"""Cells from a whole number within which a shift is one of whole cells."""

DISC = 0.7
"""Radius of a disc, as a share of half the image's shorter side."""

SHORTEST = 8.0
"""Pixels of the shortest wave in a disc."""

WAVES = 24
"""Of which a channel of a disc is the sum."""


def shifted(maps: Float[Tensor, "n c h w"], by: Real, axis: int) -> Float[Tensor, "n c h w"]:
    """Move maps by `by` cells down (axis 0) or to the right (axis 1); what leaves on one side comes in on the other.

    Arguments:
        maps: for whole numbers of cells any, otherwise taken to have no frequency beyond half a cycle per cell.
        by: cells, a fraction among them.
        axis: 0 for rows, 1 for columns.

    Returns: the moved maps.

    Example:
        >>> shifted(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 1, axis=1).flatten().tolist()
        [3.0, 1.0, 2.0]
    """
    dim = 2 + axis
    if abs(by - round(by)) < WHOLE:
        return maps.roll(round(by), dim)
    return _by_rows(maps, torch.full((1,), by, dtype=torch.float64), axis)


def _by_rows(maps: Tensor, by: Float[Tensor, "rows"], axis: int) -> Tensor:
    """Each row moved along it by its own number of cells (axis 1), or each column (axis 0)."""
    size = maps.shape[2 + axis]
    spectrum = torch.fft.rfft(maps.double(), dim=2 + axis)
    waves = torch.arange(spectrum.shape[2 + axis], dtype=torch.float64, device=maps.device)
    turn = -2 * math.pi / size * by.to(maps.device)[:, None] * waves
    phase = torch.polar(torch.ones_like(turn), turn)
    spectrum = spectrum * (phase if axis == 1 else phase.T)
    found: Tensor = torch.fft.irfft(spectrum, n=size, dim=2 + axis).to(maps.dtype)
    return found


def in_rows(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Images whose memory lies row by row: of a single channel, torch takes others for channels last."""
    return images.clone(memory_format=torch.contiguous_format)


def entering_zeros(images: Float[Tensor, "n c h w"], by: int, axis: int) -> Float[Tensor, "n c h w"]:
    """Move images by whole pixels; zeros come in where nothing is known, as in the chapter's fragment 19.1."""
    moved = images.roll(by, 2 + axis).clone()
    moved.narrow(2 + axis, 0 if by > 0 else moved.shape[2 + axis] + by, abs(by)).zero_()
    return moved


def band_limited(images: Float[Tensor, "n c h w"], share: Real = 0.5) -> Float[Tensor, "n c h w"]:
    """Images without the frequencies beyond `share` of the highest, half a cycle per pixel, along either axis."""
    height, width = images.shape[2:]
    spectrum = torch.fft.rfft2(images.double())
    rows = torch.fft.fftfreq(height, device=images.device).abs()[:, None]
    columns = torch.fft.rfftfreq(width, device=images.device)[None, :]
    kept = (rows < share / 2) & (columns < share / 2)
    found: Tensor = torch.fft.irfft2(spectrum * kept, s=(height, width)).to(images.dtype)
    return found


def turned(maps: Float[Tensor, "n c h w"], degrees: Real, centre: tuple[Real, Real]) -> Float[Tensor, "n c h w"]:
    """Turn square maps counter-clockwise about `centre` (row, column), in cells from 0: quarters exactly."""
    size = maps.shape[2]
    quarters = round(degrees / 90)
    row, column = centre
    for _ in range(quarters % 4):
        # out[y, x] = in[row + (x − column), column − (y − row)]
        maps = shifted(maps.transpose(2, 3).flip(2), row + column - (size - 1), 0)
        maps = shifted(maps, column - row, 1)
    angle = math.radians(degrees - 90 * quarters)
    if abs(angle) < 1e-9:
        return maps
    rows = torch.arange(size, dtype=torch.float64) - row
    columns = torch.arange(size, dtype=torch.float64) - column
    across, down = math.tan(angle / 2) * rows, -math.sin(angle) * columns
    return _by_rows(_by_rows(_by_rows(maps, across, 1), down, 0), across, 1)


def scaled(maps: Float[Tensor, "n c h w"], factor: Real, centre: tuple[Real, Real]) -> Float[Tensor, "n c h w"]:
    """Enlarge maps by `factor` about `centre` (row, column), in cells from 0; zeros come in from outside."""
    found = maps.double()
    for axis, middle in enumerate(centre):
        weights = _resampling(maps.shape[2 + axis], factor, middle).to(maps.device)
        found = torch.tensordot(found, weights, ([2 + axis], [1])).movedim(-1, 2 + axis)
    return found.to(maps.dtype)


def _resampling(size: int, factor: Real, middle: Real) -> Float[Tensor, "size size"]:
    """Values at the places that come to each cell, as a matrix: the interpolation of one period by its waves."""
    cells = torch.arange(size, dtype=torch.float64)
    places = (cells - middle) / factor + middle
    far = (places[:, None] - cells[None, :]) * (2 * math.pi / size)
    weights = torch.ones_like(far)
    for wave in range(1, size // 2 + 1):
        weights = weights + (1 if 2 * wave == size else 2) * torch.cos(wave * far)
    inside = (places > -0.5) & (places < size - 0.5)
    found: Tensor = weights / size * inside[:, None]
    return found


def noise(count: int, shape: tuple[int, int, int], seed: int) -> Float[Tensor, "n c h w"]:
    """Noise with the spectrum of photographs: each wave as high as it is long; mean 0 and deviation 1 of each image.

    Source: Field 1987, "Relations between the statistics of natural images and the response properties of cortical
    cells".
    """
    channels, height, width = shape
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(count, channels, height, width, generator=generator, dtype=torch.float64)
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :]
    frequency = (rows.square() + columns.square()).sqrt()
    frequency[0, 0] = math.inf
    made = torch.fft.irfft2(torch.fft.rfft2(white) / frequency, s=(height, width))
    found: Tensor = (made / made.std((1, 2, 3), keepdim=True)).float()
    return found


def discs(
    count: int, shape: tuple[int, int, int], seed: int, *, degrees: Real = 0.0, factor: Real = 1.0
) -> Float[Tensor, "n c h w"]:
    """Patterns that fade out towards the border, turned and enlarged by what they are made of, and so exactly.

    Arguments:
        count: how many.
        shape: (channels, height, width).
        seed: the same one gives the same patterns.
        degrees: counter-clockwise, about the image's centre.
        factor: above 1 larger.

    Returns: sums of waves no shorter than `SHORTEST` pixels under a round window, their deviation about 1 inside.
    """
    channels, height, width = shape
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(count, channels, WAVES, 3, generator=generator, dtype=torch.float64)
    lengths, angles, phases = drawn[..., 0].sqrt() / SHORTEST, drawn[..., 1] * 2 * math.pi, drawn[..., 2] * 2 * math.pi
    rows = torch.arange(height, dtype=torch.float64)[:, None] - (height - 1) / 2
    columns = torch.arange(width, dtype=torch.float64)[None, :] - (width - 1) / 2
    cos, sin = math.cos(math.radians(degrees)) / factor, math.sin(math.radians(degrees)) / factor
    down, right = rows * cos + columns * sin, columns * cos - rows * sin
    made = torch.zeros(count, channels, height, width, dtype=torch.float64)
    for wave in range(WAVES):
        one = lengths[..., wave], angles[..., wave], phases[..., wave]
        length, angle, phase = (value[..., None, None] for value in one)
        made += torch.cos(2 * math.pi * length * (down * angle.sin() + right * angle.cos()) + phase)
    radius = DISC * min(height, width) / 2
    window = torch.cos((down.square() + right.square()).sqrt().clamp(max=radius) * (math.pi / (2 * radius))).square()
    return (made * window / math.sqrt(WAVES / 2)).float()
