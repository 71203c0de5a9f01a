"""How means over repeats are shown: as a line with a band, and as a number with its spread."""

from collections.abc import Sequence

from cnnlab.stats.confidence import MeanInterval
from cnnlab.view.blocks import ends_of, mean_of, shown
from cnnlab.view.drawings import Series


def line_of_means(
    name: str, places: Sequence[int], means: Sequence[MeanInterval | None], colour: int, *, shares: bool = False
) -> Series:
    """A line through means, with a band of their intervals.

    Arguments:
        name: of the line.
        places: along the x axis.
        means: at each place; None where nothing was measured.
        colour: the number of the line among its like.
        shares: whether the means are shares, so that no band leaves 0 … 1.
    """
    ends = [ends_of(mean) for mean in means]
    if shares:
        known = zip(ends, means, strict=True)
        ends = [end if mean is None else (max(0.0, end[0]), min(1.0, end[1])) for end, mean in known]
    low, high = (tuple(side) for side in zip(*ends, strict=True))
    values = tuple(mean_of(mean) for mean in means)
    return Series(name, tuple(map(float, places)), values, low=low, high=high, colour=colour)


def bands(repeats: int) -> str:
    """A sentence about the bands of a figure."""
    return "Bands: 95 % t intervals over the repeats." if repeats > 1 else "One repeat: no intervals."


def spread(mean: MeanInterval | None, form: str) -> str:
    """`52.3 % ± 1.1 %`, the mean and the standard deviation over the repeats; the mean alone of a single one."""
    if mean is None:
        return shown(None)
    return shown(mean.mean, form) + ("" if mean.deviation is None else f" ± {shown(mean.deviation, form)}")
