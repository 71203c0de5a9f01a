"""How large the images are, which size they are brought to, and what each way to do so cuts off or adds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

from cnnlab.core.characters import per_cent
from cnnlab.data.fitting import Fit
from cnnlab.project.init.look import Seen

SIDES = (16, 24, 28, 32, 48, 64, 96)
"""What the shorter side of a network's images may be; a multiple of 16 divides well."""

FINE = 40
"""Images of one size of which no side is longer stay as they are."""

ALIKE = 1.1
"""Width over height of the middle half of the images varies by less than this factor where they have one shape."""

SQUARE = 1.12
"""A shape within this factor of a square is taken for one."""

LITTLE, MOST = 0.1, 0.3
"""Share of the area that a crop may cut off on average, and of the image that loses most (of a hundred)."""


@dataclass(frozen=True)
class Sizes:
    """Pixels and shapes, as they are seen; the commonest first."""

    common: tuple[tuple[int, int, int], ...]
    """(width, height, how many)."""
    shorter: tuple[float, float, float]
    """The shorter side: least, median, largest, in pixels."""
    ratio: tuple[float, float, float]
    """Width over height: least, median, largest."""
    middle_ratios: tuple[float, float]
    """Between these lies the middle half."""

    @property
    def one_size(self) -> bool:
        """Whether all images have the same."""
        return len(self.common) == 1


@dataclass(frozen=True)
class Cut:
    """What a crop to a shape cuts off; black bars of a letterbox cover the same share of the result."""

    mean: float
    """Share of the area, 0 … 1, the mean over the images."""
    worst: float
    """Of the image that loses most."""


@dataclass(frozen=True)
class SizeChoice:
    """A size and a fit with their reasons."""

    size: tuple[int, int]
    """(height, width) in pixels."""
    fit: Fit
    cut: Cut
    size_reason: str
    fit_reason: str

    @property
    def text(self) -> str:
        """As YAML."""
        high, wide = self.size
        return str(high) if high == wide else f"[{high}, {wide}]"


def measure_sizes(seen: Sequence[Seen]) -> Sizes:
    """The sizes of the images.

    Arguments:
        seen: at least one.
    """
    counts = Counter((one.width, one.height) for one in seen)
    shorter = sorted(min(one.width, one.height) for one in seen)
    ratios = sorted(one.ratio for one in seen)
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
    return Sizes(
        tuple((*size, count) for size, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        (shorter[0], median(shorter), shorter[-1]),
        (ratios[0], median(ratios), ratios[-1]),
        (low, high),
    )


def choose_size(seen: Sequence[Seen], sizes: Sizes) -> SizeChoice:
    """Choose what the images are brought to.

    Arguments:
        seen: the images.
        sizes: of them.

    Returns:
        One size without any change where all have a small one; else the largest of `SIDES` that the median image
        fills, in the shape that most images have, and the fit that keeps them.
    """
    width, height, _ = sizes.common[0]
    if sizes.one_size and max(width, height) <= FINE:
        reason = f"all images are {width} × {height} px (width × height): nothing is resized"
        return SizeChoice(
            (height, width), "crop", Cut(0.0, 0.0), reason, "nothing is cut off: the images have this size"
        )
    size, reason = _size(sizes)
    cut = cut_off(seen, size[1] / size[0])
    mean, worst = per_cent(cut.mean), per_cent(cut.worst)
    if cut.mean <= LITTLE and cut.worst <= MOST:
        why = f"a crop cuts {mean} of the average image off, of the worst {worst}: the middle is enough"
        return SizeChoice(size, "crop", cut, reason, why)
    why = (
        f"a crop would cut {mean} of the average image off, of the worst {worst}; a letterbox keeps all of it between "
        "black bars, and stretch, which distorts, has no bars"
    )
    return SizeChoice(size, "letterbox", cut, reason, why)


def cut_off(seen: Sequence[Seen], ratio: float) -> Cut:
    """What a crop to `ratio`, width over height, cuts off.

    Arguments:
        seen: the images.
        ratio: of the result.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> pixels = torch.zeros(3, 1, 1, dtype=torch.uint8)
        >>> wide = Seen("train", "a", "a/1.png", Path("a/1.png"), 10, 40, "L", False, False, b"", pixels)
        >>> cut_off([wide], 1.0)
        Cut(mean=0.75, worst=0.75)
    """
    shares = [1 - min(one.ratio / ratio, ratio / one.ratio) for one in seen]
    return Cut(fmean(shares), max(shares))


def _size(sizes: Sizes) -> tuple[tuple[int, int], str]:
    """The size, and why."""
    _, shorter, _ = sizes.shorter
    side = max((side for side in SIDES if side <= shorter), default=SIDES[0])
    low, high = sizes.middle_ratios
    ratio = sizes.ratio[1]
    size, shape = (side, side), "square"
    if high <= low * ALIKE and not 1 / SQUARE <= ratio <= SQUARE:
        longer = max(side + 8, round(side * max(ratio, 1 / ratio) / 8) * 8)
        size = (side, longer) if ratio > 1 else (longer, side)
        shape = f"{'wider than high' if ratio > 1 else 'higher than wide'}, as most images are"
    else:
        shape += ", as the images have several shapes" if high > low * ALIKE else ", as the images nearly are"
    if side == SIDES[-1] and shorter > side:
        return size, (
            f"the median image's shorter side has {shorter:.0f} px, and {side} is a good start: twice the side costs "
            f"four times the time; {shape}"
        )
    if shorter < side:
        return size, f"the median image's shorter side has {shorter:.0f} px; a smaller network's image makes no sense"
    return size, f"the median image's shorter side has {shorter:.0f} px, which {side} makes use of; {shape}"
