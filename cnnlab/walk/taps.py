"""Which inputs an output reads along one axis, for every operation with a window, as a table.

A table is (outputs, taps): indices along the axis, −2 where the tap lies in padding, −1 where there is none (windows of
different lengths share a table). Sources: Dumoulin & Visin 2016, arXiv:1603.07285; `torch.nn.functional`.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Taps = NDArray[np.intp]

PADDING, NONE = -2, -1
_CACHED = 512


@lru_cache(_CACHED)
def window(size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> Taps:
    """Output o reads o·stride − padding + j·dilation for j < kernel."""
    index = np.arange(outputs)[:, None] * stride - padding + np.arange(kernel)[None] * dilation
    return _frozen(np.where((index >= 0) & (index < size), index, PADDING))


@lru_cache(_CACHED)
def transposed(size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> Taps:
    """Output o reads i where i·stride + j·dilation − padding = o for some j < kernel."""
    offset = np.arange(outputs)[:, None] + padding - np.arange(kernel)[None] * dilation
    index = offset // stride
    reads = (offset % stride == 0) & (index >= 0) & (index < size)
    return _frozen(np.where(reads, index, NONE))


@lru_cache(_CACHED)
def folded(size: int, kernel: int, places: int, stride: int, padding: int, dilation: int) -> Taps:
    """Output o adds up the elements j·places + i, tap j of window i, with i·stride + j·dilation − padding = o."""
    j, i = np.arange(kernel)[:, None], np.arange(places)[None]
    target = (i * stride + j * dilation - padding).reshape(-1)
    reads = target[None] == np.arange(size)[:, None]
    most = max(1, int(reads.sum(axis=1).max()))
    index = np.where(reads, np.arange(kernel * places), kernel * places)
    index = np.sort(index, axis=1)[:, :most]
    return _frozen(np.where(index < kernel * places, index, NONE))


@lru_cache(_CACHED)
def adaptive(size: int, outputs: int) -> Taps:
    """Output o reads floor(o·size/outputs) … ceil((o + 1)·size/outputs) − 1."""
    begin = np.arange(outputs) * size // outputs
    end = -(-(np.arange(outputs) + 1) * size // outputs)
    return spans(begin, end)


def middle(table: Taps) -> Taps:
    """The middle one of each output's taps; where nothing is there to read, the nearest to it that reads."""
    outputs, taps = table.shape
    if taps < 2:
        return table
    far = np.abs(np.arange(taps) - (taps - 1) // 2)
    nearest: Taps = table[np.arange(outputs), np.where(table >= 0, far, far + taps).argmin(axis=1)]
    return nearest[:, None]


def spans(begin: NDArray[np.intp], end: NDArray[np.intp]) -> Taps:
    """Output o reads begin[o] … end[o] − 1."""
    index = begin[:, None] + np.arange(int((end - begin).max()))[None]
    return _frozen(np.where(index < end[:, None], index, NONE))


@lru_cache(_CACHED)
def padded(size: int, left: int, right: int, mode: str) -> Taps:
    """Output o reads o − left, or what the mode ("constant", "reflect", "replicate") puts there."""
    index = np.arange(-left, size + right)
    if mode == "constant":
        index = np.where((index >= 0) & (index < size), index, PADDING)
    elif mode == "replicate":
        index = index.clip(0, size - 1)
    else:
        index = np.where(index < 0, -index, index)
        index = np.where(index >= size, 2 * (size - 1) - index, index)
    return _frozen(index[:, None])


@lru_cache(_CACHED)
def interpolated(
    size: int, outputs: int, mode: str, align_corners: bool, factor: float | None, antialias: bool = False
) -> Taps:
    """Output o reads its neighbours under `mode`: "nearest", "nearest-exact", "linear" or "cubic".

    factor: the scale factor that the caller gave, which torch then uses in place of outputs/size.
    """
    if size == outputs and (antialias or mode in ("nearest", "linear")):
        return _frozen(np.arange(size)[:, None])  # torch copies then, whatever the factor is
    if outputs == 2 * size and mode == "nearest":
        return _frozen(np.arange(outputs)[:, None] // 2)
    f32 = np.float32  # torch's own arithmetic: a place that rounds to the other side of a pixel reads another pair
    if align_corners and mode in ("linear", "cubic"):
        scale = f32(size - 1) / f32(outputs - 1) if outputs > 1 else f32(0)
    else:
        scale = f32(1 / factor) if factor else f32(size) / f32(outputs)
    o = np.arange(outputs, dtype=f32)
    if mode.startswith("nearest"):
        index = np.floor((o + f32(0.5 if mode == "nearest-exact" else 0)) * scale).astype(np.intp)
        return _frozen(np.minimum(index, size - 1)[:, None])
    if antialias:
        support = (1.0 if mode == "linear" else 2.0) * max(float(scale), 1.0)
        centre = scale * (o + f32(0.5))
        begin = np.maximum((centre - support + 0.5).astype(np.intp), 0)
        end = np.minimum((centre + support + 0.5).astype(np.intp), size)
        return spans(begin, np.maximum(end, begin + 1))
    # rounded once, as the processor's fused multiply-add does
    fused = np.float64(scale) * (o + f32(0.5)) - 0.5
    place = scale * o if align_corners else fused.astype(f32)
    if mode == "linear":
        first = np.floor(np.maximum(place, 0)).astype(np.intp)
        index = np.stack([first, first + 1], axis=1)
    else:
        index = np.floor(place).astype(np.intp)[:, None] + np.arange(-1, 3)[None]
    return _frozen(index.clip(0, size - 1))


def _frozen(table: NDArray[np.intp]) -> Taps:
    table = np.ascontiguousarray(table, dtype=np.intp)
    table.setflags(write=False)
    return table
