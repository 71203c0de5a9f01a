"""What a tensor's elements depend on: a reach for each axis of the input."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce as fold

import numpy as np

from cnnlab.walk.arrays import WORD, Array, Move, aligned, fill_of, narrower, room_for
from cnnlab.walk.paired import paired
from cnnlab.walk.reach import Plain, Reach, uniform

IMAGES = 2
"""Images in the batch of a narrow walk."""


@dataclass(frozen=True, eq=False)
class Tag:
    """The reach along each axis of the input; `because` names what made it the whole axis, where something did.

    Of axes that are one and the same reach what is made is one and the same too, and made once.
    """

    axes: tuple[Reach, ...]
    because: tuple[str | None, ...]
    widened: float = 0.0
    """By how many pixels the windows on the longest way to the image make a field wider, about; those behind a gate
    that counts make no field wider."""

    def moved(self, move: Move) -> "Tag":
        """Return the tag at other places."""
        return self.each(lambda axis: axis.moved(move))

    def each(self, change: Callable[[Reach], Reach]) -> "Tag":
        """`change` made to every axis of the input."""
        made = {axis: change(axis) for axis in dict.fromkeys(self.axes)}
        return Tag(tuple(made[axis] for axis in self.axes), self.because, self.widened)

    def joined_along(self, dims: Sequence[int]) -> "Tag":
        """Every element along `dims` joined; those dimensions stay, with size 1."""
        return self.each(lambda axis: axis.joined_along(dims))

    def halves(self) -> tuple["Tag", "Tag"]:
        """The first half of the axes and the second, of a walk that follows each axis twice."""
        half = len(self.axes) // 2
        first, second = slice(half), slice(half, None)
        return (
            Tag(self.axes[first], self.because[first], self.widened),
            Tag(self.axes[second], self.because[second], self.widened),
        )

    def melted(self, rank: int) -> "Tag":
        """Everything in it as one element, for a tensor of `rank` dimensions."""
        one = self.each(lambda axis: axis.joined_along(range(len(axis.shape))))
        return one.moved(lambda array: array.reshape(len(array), *[1] * rank))


def source(shape: Sequence[int], *, bits: bool, images: bool = False) -> Tag:
    """The tag of the input itself, (n, channels, *spatial): element i along an axis depends on i alone.

    images: the images of the batch are a last axis, so that a batch can be followed too.
    """
    axes = []
    for dim in (*range(2, len(shape)), *([0] if images else [])):
        size = shape[dim]
        place = [1] * (len(shape) + 1)
        place[dim + 1] = size
        index = np.arange(size, dtype=np.int32)
        ends = np.stack([-index, index])
        hull = np.concatenate([ends, np.zeros((1, size), np.int32)]).reshape(3, *place[1:])
        words = None
        if bits:
            words = np.zeros((-(-size // WORD), size), np.uint64)
            words[index // WORD, index] = np.uint64(1) << (index % WORD).astype(np.uint64)
            words = words.reshape(-1, *place[1:])
        axes.append(Plain(hull, ends.reshape(2, *place[1:]), words))
    return Tag(tuple(axes), (None,) * len(axes))


def empty_like(tag: Tag, rank: int) -> Tag:
    """A tag of that rank for a tensor that depends on nothing."""

    def nothing(array: Array) -> Array:
        return fill_of(array).reshape(-1, *[1] * rank)

    return Tag(tuple(axis.moved(nothing) for axis in tag.axes), (None,) * len(tag.axes))


def joined(tags: Iterable[Tag | None]) -> Tag | None:
    """Elementwise: what depends on all of them (shapes broadcast)."""
    known = [tag for tag in tags if tag is not None]
    if len(known) < 2 or not known[0].axes:
        return known[0] if known else None
    rank = max(len(tag.axes[0].shape) for tag in known)
    made: dict[tuple[Reach, ...], Reach] = {}
    together = list(zip(*(tag.axes for tag in known), strict=True))
    for parts in dict.fromkeys(together):
        sizes = np.broadcast_shapes(*(aligned(part.hull, rank).shape[1:] for part in parts))
        for array in (parts[0].hull, *(part.bits for part in parts if part.bits is not None)):
            room_for(array, sizes)
        if len(parts) == 2:
            made[parts] = paired(*(part.moved(lambda array: aligned(array, rank)) for part in parts))
            continue
        hull = fold(np.maximum, [aligned(part.hull, rank) for part in parts])
        bits = [aligned(part.bits, rank) for part in parts if part.bits is not None]
        short = fold(narrower, [aligned(part.short, rank) for part in parts])
        made[parts] = uniform(hull, short, fold(np.bitwise_or, bits) if bits else None)
    because = tuple(next(filter(None, reasons), None) for reasons in zip(*(t.because for t in known), strict=True))
    return Tag(tuple(made[parts] for parts in together), because, max(tag.widened for tag in known))


def compact(tag: Tag) -> Tag:
    """Without the repetition along dimensions along which nothing changes."""
    return tag.each(lambda axis: axis.compacted())
