"""Agreement and speed of the ways to compute a convolution, on the same input."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from jaxtyping import Float
from torch import Tensor

from cnnlab.core.advance import Advance
from cnnlab.layers_lab.kernel.implementations import WAYS, by_torch

LOOPED = 2**17
"""Multiplications that nested loops in Python are given: some hundredths of a second."""
UNFOLDED = 2**23
"""Values of the columns of im2col: 32 MiB."""
REPEATS = 5
"""Runs of which the median counts, after one that warms up."""


@dataclass(frozen=True)
class Timed:
    """One way on one input."""

    way: str
    seconds: float
    """The median …"""
    times_torch: float
    """… in multiples of torch's."""
    runs: tuple[float, ...]
    """Seconds of each run."""
    difference: float
    """Largest size of the difference from torch in double precision, in the unit of weight × pixel."""


@dataclass(frozen=True)
class Timing:
    """Several ways on the same input."""

    size: tuple[int, int]
    """Rows and columns of the input."""
    multiplications: int
    ways: tuple[Timed, ...]
    scale: float
    """Largest size of the output: what a difference is small or large against."""

    @property
    def agree(self) -> bool:
        """Whether all are equal to 1e-5 of the largest output: single precision has 6e-8 for each rounding."""
        return self.worst <= 1e-5

    @property
    def worst(self) -> float:
        """The largest difference over the largest output, or as it is where all outputs are 0."""
        return max(way.difference for way in self.ways) / (self.scale or 1.0)


def timed(image: Float[Tensor, "c h w"], kernel: Float[Tensor, "c kh kw"]) -> Iterator[Advance | tuple[Timing, Timing]]:
    """Compute the same convolution in every way, without padding, in single precision.

    Arguments:
        image: at least as large as the kernel.
        kernel: one filter.

    Yields:
        How many ways are done; at last the timing of all on a crop of the middle that is small enough for nested
        loops, and that of all others on the largest crop whose columns fit into memory (the whole image, if it is not
        large).
    """
    weights = kernel.numel()
    inputs = [
        (WAYS, cropped(image, kernel, max(1, LOOPED // weights))),
        ({name: way for name, way in WAYS.items() if name != "loops"},
         cropped(image, kernel, max(1, UNFOLDED // weights))),
    ]  # fmt: skip
    total, done, found = sum(len(ways) for ways, _ in inputs), 0, []
    for ways, crop in inputs:
        images, filters = crop[None].float(), kernel[None].float()
        exact = by_torch(images.double(), filters.double())
        seconds, differences, times = {}, {}, {}
        for name, way in ways.items():
            differences[name] = float((way(images, filters).double() - exact).abs().max())
            runs = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                way(images, filters)
                runs.append(time.perf_counter() - began)
            seconds[name], times[name] = median(runs), tuple(runs)
            done += 1
            yield Advance("timing", done, total)
        rows = tuple(
            Timed(name, seconds[name], seconds[name] / seconds["torch"], times[name], differences[name])
            for name in ways
        )
        size = (int(crop.shape[1]), int(crop.shape[2]))
        found.append(Timing(size, exact.numel() * weights, rows, float(exact.abs().max())))
    yield found[0], found[1]


def cropped(image: Float[Tensor, "c h w"], kernel: Float[Tensor, "c kh kw"], outputs: int) -> Float[Tensor, "c _ _"]:
    """The middle of the image, as large as gives at most about `outputs` outputs without padding, at least one."""
    rows, columns = (int(side - k + 1) for side, k in zip(image.shape[1:], kernel.shape[1:], strict=True))
    side = max(1, int(outputs**0.5))
    down = min(rows, max(side, outputs // max(1, columns)))
    across = min(columns, max(1, outputs // down))
    height, width = down + int(kernel.shape[1]) - 1, across + int(kernel.shape[2]) - 1
    top, left = (int(image.shape[1]) - height) // 2, (int(image.shape[2]) - width) // 2
    return image[:, top : top + height, left : left + width].contiguous()
