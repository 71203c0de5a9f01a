"""`pairs`, an embedded data set of a far relation: two marks that are of one kind or not, made when it is loaded.

What matters stands at two places, and at neither of them can it be told. So a network whose layers see one mark at a
time, and which adds up what they found (a mean over all places, a linear layer), is right in `most_by_adding` of the
cases at most: the sum of two scores cannot tell whether they are of one kind.
"""

import torch
from jaxtyping import Bool, UInt8
from torch import Generator, Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import NonNegative, Positive, Probability
from cnnlab.core.seeds import derive_seed
from cnnlab.data.dataset import Dataset, Part, check_memory
from cnnlab.data.registry import DATASETS, DatasetFacts, Options, square
from cnnlab.data.shapes import Channels, Side

CLASSES = ("different", "same")
BLOCK = 500
"""Images made at a time; a smaller count is the beginning of a larger one."""

MARKS = (
    "##### #...# #...# #...# #####",
    "..#.. ..#.. ##### ..#.. ..#..",
    "#...# .#.#. ..#.. .#.#. #...#",
    ".###. ##### ##### ##### .###.",
    "##### ..... ##### ..... #####",
    "#.#.# #.#.# #.#.# #.#.# #.#.#",
    "#.... ##... ###.. ####. #####",
    "#.#.# .#.#. #.#.# .#.#. #.#.#",
)
"""The kinds, row after row."""

MARK = 5
"""Pixels of a mark's side."""


def most_by_adding(kinds: int = len(MARKS), *, knows_places: bool = True) -> float:
    """The largest share of right answers of a network that gives each mark a score and adds the two.

    Both classes are equally frequent, and so are the kinds. Of a network that does not know its left from its right, m
    of k kinds that are above the threshold twice are so with each other: m/k of one class is gained, and
    m(m − 1)/(k(k − 1)) of the other lost. With scores of its own at each place (f(a) = a, g(b) = −b) it loses half.

    Arguments:
        kinds: of marks, from 2.
        knows_places: whether the score of a mark may depend on where it stands.

    Returns:
        0.5 … 1.

    Example:
        >>> most_by_adding(), round(most_by_adding(knows_places=False), 3)
        (0.75, 0.643)
    """
    lost = 2 if knows_places else 1
    return max(0.5 + 0.5 * (m / kinds - m * (m - 1) / (lost * kinds * (kinds - 1))) for m in range(kinds + 1))


def far_apart(size: int) -> int:
    """Pixels between the centres of the marks in images of this side, unless another distance is asked for."""
    return min(3 * size // 4, size - MARK)


def _most(options: Options) -> int:
    """Raises: RequestError where either part does not fit into memory."""
    check_memory(max(options["train_count"], options["test_count"]), square(options))
    return int(options["train_count"])


@DATASETS.register("pairs", facts=DatasetFacts(square, len(CLASSES), names=CLASSES, source="made", most=_most))
def pairs(
    part: Part,
    *,
    size: Side = 32,
    train_count: Positive = 10_000,
    test_count: Positive = 2_000,
    channels: Channels = 3,
    distance: Positive | None = None,
    noise: Probability = 0.1,
    seed: NonNegative = 0,
) -> Dataset:
    """Two marks side by side, of one kind or of two; nothing to download.

    `distance` is that of their centres in pixels, by default about three quarters of `size`, the side of the square
    images: a network that is to compare them has to see both. `noise` is the standard deviation of the grey ground,
    white being 1. `seed` chooses the images, apart from the run's own seed. The marks are the data set's `masks`.
    """
    apart = distance or far_apart(size)
    if not MARK < apart <= size - MARK:
        raise RequestError(
            f"distance is {apart} px; marks of {MARK} px stand apart and inside an image of {size} px with "
            f"{MARK + 1} to {size - MARK}"
        )
    count = train_count if part == "train" else test_count
    check_memory(count, (channels + 1, size, size))
    drawn = [_block(derive_seed(seed, "pairs", part, start), size, apart, noise) for start in range(0, count, BLOCK)]
    images = torch.cat([block for block, _ in drawn])[:count].expand(-1, channels, -1, -1).contiguous()
    masks = torch.cat([block for _, block in drawn])[:count]
    return Dataset("pairs", part, images, torch.arange(count) % len(CLASSES), CLASSES, masks=masks)


def _block(seed: int, size: int, apart: int, noise: float) -> tuple[UInt8[Tensor, "n 1 s s"], Bool[Tensor, "n s s"]]:
    """`BLOCK` images, their classes in turn, and where the marks are."""
    what, grain = (Generator().manual_seed(derive_seed(seed, use)) for use in ("what", "grain"))
    first = torch.randint(len(MARKS), (BLOCK,), generator=what)
    other = (first + torch.randint(1, len(MARKS), (BLOCK,), generator=what)) % len(MARKS)
    second = torch.where(torch.arange(BLOCK) % len(CLASSES) == 1, first, other)
    kinds = torch.tensor([[[letter == "#" for letter in row] for row in mark.split()] for mark in MARKS])
    masks = torch.zeros(BLOCK, size, size, dtype=torch.bool)
    top, left = (size - MARK) // 2, (size - apart - MARK) // 2
    for kind, column in ((first, left), (second, left + apart)):
        masks[:, top : top + MARK, column : column + MARK] = kinds[kind]
    ground = 0.5 + noise * torch.randn(BLOCK, size, size, generator=grain)
    bright = torch.where(masks, ground + 0.5, ground)
    return (bright.clamp_(0, 1) * 255).round_().to(torch.uint8)[:, None], masks
