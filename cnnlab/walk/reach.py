"""What a tensor's elements depend on: for each, the interval of input indices along every axis of the input.

All arrays have the tensor's own dimensions behind one leading axis of components. A dimension along which nothing
changes has size 1, whatever the tensor's size: in a convolutional network the rows that a unit sees depend on its own
row alone, so that a canvas of 4,000 × 4,000 pixels costs arrays of 4,000 numbers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from functools import reduce as fold
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from cnnlab.walk.room import room_for

Array = NDArray[Any]
Move = Callable[[Array], Array]
"""A change of place: takes and gives an array with its leading axis of components."""

NOTHING = -(2**29)
"""Stands in `hull` and `short` for both ends of an empty interval."""

WORD = 64
"""Input indices in one word of `bits`."""

IMAGES = 2
"""Images in the batch of a narrow walk."""


@dataclass(frozen=True, eq=False)
class Reach:
    """What the elements of a tensor depend on along one axis of the input.

    hull: (3, …) −first, last index, and 1 where padding was read on the way; joined by the maximum.
    short: (2, …) −first, last index along the shortest of the paths that lead here (Richter et al. 2021).
    bits: (words, …) one bit for each index that is really read, for gaps inside the hull; None where not asked for.
    """

    hull: Array
    short: Array
    bits: Array | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each dimension of the tensor, or 1 where nothing changes along it."""
        return self.hull.shape[1:]

    @property
    def numbers(self) -> int:
        """How many numbers `hull` and `short` hold."""
        return self.hull.size + self.short.size

    @property
    def words(self) -> int:
        """How many words `bits` holds."""
        return 0 if self.bits is None else self.bits.size

    def once(self, *, but: int | None = None) -> "Reach":
        """The same with each run of equal elements once, unless those lie along the dimension `but`: see `Stacked`."""
        return self

    @cached_property
    def single(self) -> tuple[int, int] | None:
        """The interval that all elements share, those aside that depend on nothing; None where they differ."""
        hull = self.once().hull
        if _differ([_at(hull, place) for place in _places(hull.shape[1:])]):
            return None
        some = hull[1] > NOTHING
        if not some.any():
            return None
        first, last = -hull[0], hull[1]
        one = int(first[some].min()), int(last[some].max())
        return one if (first[some] == one[0]).all() and (last[some] == one[1]).all() else None

    def moved(self, move: Move) -> "Reach":
        """Return the reach at other places."""
        return self.changed(move)

    def changed(self, change: Callable[[Array], Array]) -> "Reach":
        """Return what `change`, which may join elements, makes of the arrays."""
        return Reach(change(self.hull), change(self.short), None if self.bits is None else change(self.bits))


def _places(shape: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The first element and two in the middle: where not all depend on the same most often these do not."""
    return (0,) * len(shape), tuple((size - 1) // 2 for size in shape), tuple(size // 2 for size in shape)


def _differ(elements: Sequence[Array]) -> bool:
    """Whether elements of `hull` that depend on something do not depend on one interval; the first with each other."""
    first, *others = elements
    return first[1] > NOTHING and any(one[1] > NOTHING and (one[:2] != first[:2]).any() for one in others)


@final
class Stacked(Reach):
    """Parts that lie side by side along one dimension, as channels that are concatenated do.

    Each part is the same all along that dimension, and is kept once: a network that concatenates all that went before
    (DenseNet) would write each layer's rows once for every channel and every layer behind it. What asks for the arrays
    gets them written out; joins along the dimension, and what is read of a field, need no more than one of each part.
    """

    def __init__(self, parts: Reach, dim: int, sizes: Sequence[int]) -> None:
        self.__dict__.update(parts=parts, dim=dim, sizes=tuple(sizes))

    parts: Reach
    """One element for each part along `dim`."""
    dim: int
    sizes: tuple[int, ...]
    """How many elements each part has along `dim`."""

    @cached_property
    def hull(self) -> Array:
        """As that of any other."""
        return self._written(self.parts.hull)

    @cached_property
    def short(self) -> Array:
        """As that of any other."""
        return self._written(self.parts.short)

    @cached_property
    def bits(self) -> Array | None:
        """As that of any other."""
        return None if self.parts.bits is None else self._written(self.parts.bits)

    def _written(self, array: Array) -> Array:
        return array.repeat(self.sizes, axis=self.dim + 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """As that of any other."""
        shape = self.parts.shape
        return (*shape[: self.dim], sum(self.sizes), *shape[self.dim + 1 :])

    @property
    def numbers(self) -> int:
        """As those of any other: what is written out costs."""
        return self.parts.numbers // len(self.sizes) * sum(self.sizes)

    @property
    def words(self) -> int:
        """As those of any other."""
        return self.parts.words // len(self.sizes) * sum(self.sizes)

    def once(self, *, but: int | None = None) -> Reach:
        """One element for each part, unless they lie along `but`."""
        return self if but == self.dim else self.parts


@final
class Paired(Reach):
    """Each element of one beside each of another, joined, as a product of matrices has rows beside columns.

    Of attention the scores of all pairs of tokens are many more than the tokens, and all that becomes of them is moved
    and then joined over the one or the other: that needs no pair. What asks for the arrays gets them written out.
    """

    def __init__(self, one: Reach, other: Reach) -> None:
        self.__dict__.update(one=one, other=other)

    one: Reach
    """Of as many dimensions as `other`."""
    other: Reach

    @cached_property
    def hull(self) -> Array:
        """As that of any other."""
        return self._full(np.maximum(self.one.hull, self.other.hull))

    @cached_property
    def short(self) -> Array:
        """As that of any other."""
        return self._full(_shorter(self.one.short, self.other.short))

    @cached_property
    def bits(self) -> Array | None:
        """As that of any other."""
        words = [part.bits for part in (self.one, self.other) if part.bits is not None]
        return self._full(fold(np.bitwise_or, words)) if words else None

    def _full(self, array: Array) -> Array:
        return np.broadcast_to(array, (len(array), *self.shape))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """As that of any other."""
        return np.broadcast_shapes(self.one.shape, self.other.shape)

    @property
    def numbers(self) -> int:
        """As those of any other: what is written out costs."""
        return self.one.numbers // prod(self.one.shape) * prod(self.shape)

    @property
    def words(self) -> int:
        """As those of any other."""
        return max(part.words // prod(part.shape) for part in (self.one, self.other)) * prod(self.shape)

    @cached_property
    def single(self) -> tuple[int, int] | None:
        """As that of any other; where some differ nothing is written out."""
        hulls = self.one.hull, self.other.hull
        if _differ([np.maximum(*(_at(hull, place) for hull in hulls)) for place in _places(self.shape)]):
            return None
        return Reach(self.hull, self.short, self.bits).single

    def moved(self, move: Move) -> Reach:
        """Return the reach at other places: each of the two goes there."""
        return paired(self.one.moved(move), self.other.moved(move))

    def joined_along(self, axes: tuple[int, ...]) -> Reach:
        """Every element along `axes` of the arrays joined; `short` without any pair if only the other varies there."""

        def join(array: Array) -> Array:
            return join_ufunc(array).reduce(array, axis=axes, keepdims=True)  # type: ignore[no-any-return]

        short = None
        if all(self.one.hull.shape[axis] == 1 for axis in axes):
            short = _shorter_joined(self.one.short, self.other.short, axes)
        words = [join(part.bits) for part in (self.one, self.other) if part.bits is not None]
        return uniform(
            np.maximum(join(self.one.hull), join(self.other.hull)),
            join(self.short) if short is None else short,
            fold(np.bitwise_or, words) if words else None,
        )


_MANY = 4
"""How many times as many elements as its two parts a reach has of which the pairs are not written out."""


def paired(one: Reach, other: Reach) -> Reach:
    """Each element joined with that of the other at its place (shapes of one rank broadcast)."""
    made = Paired(one, other)
    many = prod(made.shape) >= _MANY * (prod(one.shape) + prod(other.shape))
    return made if many else uniform(made.hull, made.short, made.bits)


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
        return self.each(lambda axis: reduced(axis, dims))

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
        one = self.each(lambda axis: reduced(axis, range(len(axis.shape))))
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
        axes.append(Reach(hull, ends.reshape(2, *place[1:]), words))
    return Tag(tuple(axes), (None,) * len(axes))


def fill_of(array: Array, edge: bool = False) -> Array:
    """The value that adds nothing to a join, as (components,); with `edge` it stands for padding."""
    if array.dtype == np.uint64:
        return np.zeros(len(array), np.uint64)
    return np.array([NOTHING, NOTHING, int(edge)][: len(array)], np.int32)


def empty_like(tag: Tag, rank: int) -> Tag:
    """A tag of that rank for a tensor that depends on nothing."""

    def nothing(array: Array) -> Array:
        return fill_of(array).reshape(-1, *[1] * rank)

    return Tag(tuple(axis.moved(nothing) for axis in tag.axes), (None,) * len(tag.axes))


def join_ufunc(array: Array) -> Any:
    """How two values become one that depends on both."""
    return np.bitwise_or if array.dtype == np.uint64 else np.maximum


def aligned(array: Array, rank: int) -> Array:
    """Put dimensions of size 1 in front, as broadcasting does, until there are `rank`."""
    missing = rank - (array.ndim - 1)
    return array.reshape(len(array), *[1] * missing, *array.shape[1:]) if missing > 0 else array


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
        short = fold(_shorter, [aligned(part.short, rank) for part in parts])
        made[parts] = uniform(hull, short, fold(np.bitwise_or, bits) if bits else None)
    because = tuple(next(filter(None, reasons), None) for reasons in zip(*(t.because for t in known), strict=True))
    return Tag(tuple(made[parts] for parts in together), because, max(tag.widened for tag in known))


def uniform(hull: Array, short: Array, bits: Array | None) -> Reach:
    """A reach of parts that may be constant along different dimensions."""
    parts = [part for part in (hull, short, bits) if part is not None]
    full = np.broadcast_shapes(*(part.shape[1:] for part in parts))
    hull, short, *words = (
        part if part.shape[1:] == full else np.broadcast_to(part, (len(part), *full)) for part in parts
    )
    return Reach(hull, short, words[0] if words else None)


def compact(tag: Tag) -> Tag:
    """Without the repetition along dimensions along which nothing changes."""

    def compacted(reach: Reach) -> Reach:
        if isinstance(reach, Paired):
            return paired(compacted(reach.one), compacted(reach.other))
        parts = [part for part in (reach.hull, reach.short, reach.bits) if part is not None]
        for axis in range(1, parts[0].ndim):
            size = parts[0].shape[axis]
            border = [1] + [0] * len(reach.shape)
            middle = [*border[:axis], size // 2, *border[axis + 1 :]]
            if size < 2 or parts[0].item(*border) != parts[0].item(*middle):
                continue
            if (parts[0].take(size // 2, axis) == parts[0].take(0, axis)).all():
                ones = [part[(slice(None),) * axis + (slice(0, 1),)] for part in parts]
                if all((part == one).all() for part, one in zip(parts, ones, strict=True)):
                    parts = ones
        return Reach(parts[0], parts[1], parts[2] if len(parts) > 2 else None)

    return tag.each(compacted)


def _width(short: Array) -> Array:
    width = short[0] + short[1]
    return np.where(width < 0, np.int32(2**30), width)


def _shorter(one: Array, other: Array) -> Array:
    """Elementwise the narrower interval; an empty one is none."""
    if one.shape == other.shape and (one is other or np.array_equal(one, other)):
        return one
    return np.where(_width(one) <= _width(other), one, other)


def _at(array: Array, place: tuple[int, ...]) -> Array:
    """The element at `place`, or the one that stands for it, as (components,)."""
    return array[:, *(min(one, size - 1) for one, size in zip(place, array.shape[1:], strict=True))]


_WIDTHS = 16
"""How many widths intervals may have among which the narrower one is told for each width and not for each pair."""


def _shorter_joined(one: Array, other: Array, axes: tuple[int, ...]) -> Array | None:
    """`_shorter` of all pairs, joined along `axes`, along which `one` is constant; None if that takes the pairs."""
    here, there = _width(one)[None], _width(other)[None]
    if here.max() <= there.min():
        return one
    widths = np.unique(here)
    if len(widths) > _WIDTHS:
        return None
    parts = []
    for width in widths:
        narrower, nothing = there < width, np.int32(NOTHING)
        theirs = np.where(narrower, other, nothing).max(axis=axes, keepdims=True)
        ours = np.where(narrower.all(axis=axes, keepdims=True), nothing, one)
        parts.append(np.where(here == width, np.maximum(theirs, ours), nothing))
    return fold(np.maximum, parts)


def reduced(reach: Reach, dims: Sequence[int]) -> Reach:
    """Every element along `dims` (of the tensor, from 0) joined; those dimensions stay, with size 1."""
    axes = tuple(dim + 1 for dim in dims if reach.shape[dim] > 1)
    if not axes:
        return reach
    if isinstance(reach, Stacked) and reach.dim + 1 in axes:
        reach = reach.parts
    if isinstance(reach, Paired):
        return reach.joined_along(axes)
    return reach.changed(lambda array: join_ufunc(array).reduce(array, axis=axes, keepdims=True))


def chosen_channels(reach: Reach, dim: int, groups: int, outputs: int) -> Reach:
    """The channels of each group joined, and each group's result given to its outputs; of `short` the narrowest."""
    if groups == 1 and isinstance(reach, Stacked) and reach.dim == dim:
        reach = reach.parts
    channels = reach.shape[dim]
    if channels == 1:
        return reach

    def split(array: Array) -> Array:
        shape = array.shape
        return array.reshape(*shape[: dim + 1], groups, channels // groups, *shape[dim + 2 :])

    def spread(array: Array) -> Array:
        if groups > 1:
            room_for(array, (*array.shape[1:], outputs // groups))
        return array if groups == 1 else array.repeat(outputs // groups, axis=dim + 1)

    def join(array: Array) -> Array:
        return spread(join_ufunc(array).reduce(split(array), axis=dim + 2))

    short = split(reach.short)
    narrowest = np.expand_dims(_width(short).argmin(axis=dim + 1), (0, dim + 2))
    best = np.take_along_axis(short, narrowest, axis=dim + 2).squeeze(dim + 2)
    return Reach(join(reach.hull), spread(best), None if reach.bits is None else join(reach.bits))


def windowed(reach: Reach, dim: int, taps: NDArray[np.intp], size: int) -> Reach:
    """Along `dim` (of `size` elements) each output joins its taps: see `cnnlab.walk.taps`."""
    length = reach.hull.shape[dim + 1]
    varies = length > 1
    if length == 1 and (size > 1 or len(taps) > 1):
        if (taps >= 0).any(axis=1).all():
            return reach  # each output reads something, and all there is to read is the same
        length = size

    def slide(array: Array) -> Array:
        axis = dim + 1
        if array.shape[axis] != length:
            array = np.broadcast_to(array, (*array.shape[:axis], length, *array.shape[axis + 1 :]))
        if taps.min(initial=0) < 0:
            # the two last places stand for padding (−2), which counts along its own axis, and for nothing at all (−1)
            rest = [fill_of(array, edge).reshape(-1, *[1] * (array.ndim - 1)) for edge in (varies, False)]
            ends = [np.broadcast_to(r, (*array.shape[:axis], 1, *array.shape[axis + 1 :])) for r in rest]
            array = np.concatenate([array, *ends], axis=axis)
        room_for(array, (*array.shape[1:axis], taps.size, *array.shape[axis + 1 :]))
        if taps.shape[1] == 1:
            return array.take(taps[:, 0], axis=axis)
        return join_ufunc(array).reduce(array.take(taps, axis=axis), axis=axis + 1)  # type: ignore[no-any-return]

    return reach.changed(slide)


def slid(tag: Tag, dim: int, taps: NDArray[np.intp], size: int) -> Tag:
    """`windowed` for every axis of the input."""
    return tag.each(lambda axis: windowed(axis, dim, taps, size))


def spans(ends: Array) -> tuple[int, ...]:
    """How far the middle of an interval of `hull` or `short` moves along each dimension at most, in half indices."""
    middle, known = ends[1].astype(np.int64) - ends[0], ends[1] > NOTHING
    found = []
    for dim, size in enumerate(middle.shape):
        if size < 2:
            found.append(0)
            continue
        if known.all():
            found.append(int(np.ptp(middle, axis=dim).max()))
            continue
        low = np.where(known, middle, 2**41).min(axis=dim)
        high = np.where(known, middle, -(2**41)).max(axis=dim)
        found.append(int((high - low)[high >= low].max(initial=0)))
    return tuple(found)


def steps(ends: Array, dim: int) -> int:
    """The number of places along `dim` at which the interval changes, at most."""
    middle = np.moveaxis(ends[1].astype(np.int64) - ends[0], dim, 0)
    return int((middle[1:] != middle[:-1]).sum(axis=0).max(initial=0))


def moving_dims(ends: Sequence[Array]) -> list[int | None]:
    """The dimension along which each axis of the input moves the most, of which `hull` or `short` is given.

    None where it does not move. Places in a row have the same dimension for several axes. Channels move too, by the
    pixels that branches lie apart, or hold what lay side by side: where another axis moves along a dimension as well,
    it is taken only if it is that axis's own.
    """
    far = [spans(one) for one in ends]
    shared = [sum(one[dim] > 0 for one in far) > 1 for dim in range(len(far[0]))]
    found: list[int | None] = []
    for one, span in zip(ends, far, strict=True):
        widest = [dim for dim, moved in enumerate(span) if moved == max(span) > 0]
        some = [dim for dim in widest if not shared[dim]] or widest
        found.append(max(some, key=partial(steps, one)) if len(some) > 1 else next(iter(some), None))
    return [None if dim is not None and shared[dim] and found.count(dim) < 2 else dim for dim in found]


def union(reaches: Iterable[Reach]) -> tuple[int, int]:
    """The least interval around all elements."""
    hulls = [reach.once().hull for reach in reaches]
    return -max(int(hull[0].max()) for hull in hulls), max(int(hull[1].max()) for hull in hulls)
