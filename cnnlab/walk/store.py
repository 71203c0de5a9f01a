"""What is known of each tensor while a network runs, views and writing into them included.

A view knows the tensor that it is a part of and the moves that lead there. Writing into it writes the root's tag
through the same moves, and the other views of that root read theirs anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import final

import numpy as np
from torch import Tensor

from cnnlab.walk.alive import Alive
from cnnlab.walk.arrays import Array, Move, TooLargeError, room_for
from cnnlab.walk.movement import LARGEST, anywhere
from cnnlab.walk.reach import Plain, Reach
from cnnlab.walk.tag import Tag, compact, empty_like, joined


@dataclass(eq=False)
class Entry:
    """One tensor's tag, and where it lies in another tensor if it is a view."""

    shape: tuple[int, ...]
    tag: Tag | None = None
    value: Tensor | None = None
    """The values of a small tensor that does not depend on the input."""
    parameter: str | None = None
    """The name of the parameter that it is."""
    planar: bool = False
    """Whether an operation on planes made it (n, channels, rows, columns), wherever its elements come from."""
    root: "Entry | None" = None
    moves: tuple[Move, ...] = ()
    version: int = 0
    seen: int = 0
    """The version of the root that `tag` was read from."""


@final
class Store:
    """The entries of all tensors that are alive in one run; a tensor without one depends on nothing."""

    def __init__(self) -> None:
        self._entries: Alive[Entry] = Alive()

    def entry(self, tensor: Tensor) -> Entry:
        """The tensor's entry, a new one if it has none."""
        entry = self._entries.get(tensor)
        if entry is None:
            entry = self._entries[tensor] = Entry(tuple(tensor.shape))
        return entry

    def tag(self, tensor: Tensor) -> Tag | None:
        """What the tensor depends on now."""
        entry = self._entries.get(tensor)
        if entry is None:
            return None
        if entry.root is not None and entry.root.version != entry.seen:
            try:
                entry.tag = _through(entry.root.tag, entry.moves)
            except TooLargeError:
                entry.tag = entry.root.tag and entry.root.tag.melted(len(entry.shape))
            entry.seen = entry.root.version
        return entry.tag

    def value(self, tensor: Tensor) -> Tensor | None:
        """The values, where they are known: views of them are views of the values, so that writes are seen."""
        entry = self._entries.get(tensor)
        if entry is None or (entry.root or entry).value is None:
            return None
        return entry.value

    def parameter(self, tensor: Tensor) -> str | None:
        """The name of the parameter that the tensor is, or is a view of."""
        entry = self._entries.get(tensor)
        return (entry.root or entry).parameter if entry else None

    def place(self, tensor: Tensor, tag: Tag | None, value: Tensor | None = None, parameter: str | None = None) -> None:
        """A tensor that was just made."""
        self._entries[tensor] = Entry(tuple(tensor.shape), tag, value, parameter)

    def place_view(self, tensor: Tensor, of: Tensor, move: Move | None) -> None:
        """A tensor that is a view of another; without a move each of its elements may be any of the other's root."""
        if tensor is of:
            return
        base, tag = self.entry(of), self.tag(of)
        root = base.root or base
        if move is None:
            tag, move = root.tag, anywhere(tensor.dim())
            moves: tuple[Move, ...] = (move,)
        else:
            moves = (*base.moves, move)
        self._entries[tensor] = Entry(
            tuple(tensor.shape),
            tag and compact(tag.moved(move)),
            root=root,
            moves=moves,
            seen=root.version,
        )

    def turn(self, tensor: Tensor, view: Tensor) -> None:
        """`tensor` was turned in place into what `view` is."""
        self._entries[tensor] = self.entry(view)

    def write(self, tensor: Tensor, tag: Tag | None, *, keep_values: bool = False) -> bool:
        """New content for a tensor that may be a view; False where its root could only be joined with it.

        keep_values: the remembered values were written as well.
        """
        entry = self.entry(tensor)
        root = entry.root or entry
        root.version += 1
        if not keep_values:
            root.value = None
        if root is entry:
            entry.tag = tag
            entry.shape = tuple(tensor.shape)
            return True
        written, known = None, tag if tag is not None else root.tag
        if known is not None:
            new = tag if tag is not None else empty_like(known, len(entry.shape))
            before = root.tag if root.tag is not None else empty_like(known, len(root.shape))
            written = _written(before, root.shape, entry.moves, new)
            root.tag = written or joined([before, new.melted(len(root.shape))])
        return known is None or written is not None


def _through(tag: Tag | None, moves: Sequence[Move]) -> Tag | None:
    for move in moves:
        tag = tag and tag.moved(move)
    return tag and compact(tag)


def _written(root: Tag, shape: tuple[int, ...], moves: Sequence[Move], value: Tag) -> Tag | None:
    """`root` with `value` where the moves lead; None where they lead to copies and not into it."""
    made = []
    for axis, new in zip(root.axes, value.axes, strict=True):
        reach = _put(axis, new, moves, _spread(axis.hull, shape, moves, new.hull))
        if reach is None and prod(shape) <= LARGEST:
            reach = _put(axis, new, moves, shape)  # the part is no block: a diagonal, a run through merged dimensions
        if reach is None:
            return None
        made.append(reach)
    because = tuple(a or b for a, b in zip(root.because, value.because, strict=True))
    return compact(Tag(tuple(made), because))


def _put(axis: Reach, new: Reach, moves: Sequence[Move], full: Sequence[int]) -> Reach | None:
    parts: list[Array | None] = []
    for old, content in ((axis.hull, new.hull), (axis.short, new.short), (axis.bits, new.bits)):
        if old is None or content is None:
            parts.append(None)
            continue
        room_for(old, full)
        fresh = np.broadcast_to(old, (len(old), *full)).copy()
        target = fresh
        for move in moves:
            target = move(target)
        if not np.may_share_memory(target, fresh) or not target.flags.writeable:
            return None
        target[...] = content
        parts.append(fresh)
    hull, short, bits = parts
    assert hull is not None
    assert short is not None
    return Plain(hull, short, bits)


def _spread(old: Array, shape: tuple[int, ...], moves: Sequence[Move], value: Array) -> list[int]:
    """The size that each dimension of the root needs, so that the part can differ from the rest and within itself."""
    sizes = []
    for dim, size in enumerate(shape):
        if old.shape[dim + 1] > 1 or size == 1:
            sizes.append(old.shape[dim + 1])
            continue
        probe = np.arange(size).reshape(1, *(size if d == dim else 1 for d in range(len(shape))))
        for move in moves:
            probe = move(probe)
        partial = np.unique(probe).size < size
        inside = any(p > 1 and v > 1 for p, v in zip(probe.shape[1:], value.shape[1:], strict=True))
        sizes.append(size if partial or inside else 1)
    return sizes
