"""What a machine can do at most: a large matrix product, and a copy of memory."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from cnnlab.network.speed import now

PRODUCTS = 20
"""Matrix products of which the fastest counts."""

COPIED = 2**28
"""Bytes of a copy: more than any cache holds."""

COPIES = 3
"""Copies of which the fastest counts."""


@dataclass(frozen=True)
class Ceiling:
    """What one operation reaches by itself."""

    flops_per_second: float
    """Of a product of two square matrices in single precision; two for each multiply-accumulate."""
    side: int
    """Rows of the matrices."""
    bytes_per_second: float
    """Of a copy, read and written."""


def product_speed(device: torch.device, side: int, *, repeats: int = PRODUCTS) -> float:
    """Floating-point operations per second of a product of two square matrices of `side` rows, the fastest of some.

    Arguments:
        device: that multiplies.
        side: rows and columns.
        repeats: products, from 1, after one that warms up.
    """
    one = torch.ones(side, side, device=device)
    return 2 * side**3 / _fastest(lambda: one @ one, device, repeats)


def copy_speed(device: torch.device, *, size: int = COPIED) -> float:
    """Bytes per second that a copy of `size` bytes reads and writes, the fastest of some.

    Arguments:
        device: in whose memory both lie.
        size: bytes, a multiple of 4.
    """
    here = torch.ones(size // 4, device=device)
    there = torch.empty_like(here)
    return 2 * size / _fastest(lambda: there.copy_(here), device, COPIES)


def ceiling(device: torch.device) -> Ceiling:
    """Measure what `device` reaches at most: the larger of two products counts, as small ones stay in the cache.

    Arguments:
        device: of the work that is held against it.
    """
    sides = (512, 1024) if device.type == "cpu" else (4096, 8192)
    speeds = {side: product_speed(device, side, repeats=PRODUCTS if side == sides[0] else 3) for side in sides}
    side = max(speeds, key=speeds.__getitem__)
    return Ceiling(speeds[side], side, copy_speed(device))


def _fastest(operation: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Seconds of the fastest of some runs, after one that warms up."""
    times = []
    with torch.no_grad():
        for _ in range(1 + repeats):
            start = now(device)
            operation()
            times.append(now(device) - start)
    return min(times[1:])
