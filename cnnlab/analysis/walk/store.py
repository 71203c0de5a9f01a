"""What is known of each tensor while a network runs, views and writing into them included.

A view knows the tensor that it is a part of and the moves that lead there. Writing into it writes the root's tag
through the same moves, and the other views of that root read theirs anew.
"""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from cnnlab.analysis.walk.reach import Array, Move, Reach, Tag, compact, empty_like, joined


@dataclass(eq=False)
class Entry:
    """One tensor's tag, and where it lies in another tensor if it is a view."""

    shape: tuple[int, ...]
    tag: Tag | None = None
    value: Tensor | None = None
    """The values of a small tensor that does not depend on the input."""
    parameter: str | None = None
    """The name of the parameter that it is."""
    root: "Entry | None" = None
    moves: tuple[Move, ...] = ()
    version: int = 0
    seen: int = 0
    """The version of the root that `tag` was read from."""


@final
class Store:
    """The entries of all tensors that are alive in one run; a tensor without one depends on nothing."""

    def __init__(self) -> None:
        self._entries: MutableMapping[Tensor, Entry] = WeakTensorKeyDictionary()

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
            entry.tag = _through(entry.root.tag, entry.moves)
            entry.value = None
            entry.seen = entry.root.version
        return entry.tag

    def value(self, tensor: Tensor) -> Tensor | None:
        """The values, where they are known."""
        entry = self._entries.get(tensor)
        return entry.value if entry else None

    def parameter(self, tensor: Tensor) -> str | None:
        """The name of the parameter that the tensor is, or is a view of."""
        entry = self._entries.get(tensor)
        return (entry.root or entry).parameter if entry else None

    def place(self, tensor: Tensor, tag: Tag | None, value: Tensor | None = None, parameter: str | None = None) -> None:
        """A tensor that was just made."""
        self._entries[tensor] = Entry(tuple(tensor.shape), tag, value, parameter)

    def place_view(self, tensor: Tensor, of: Tensor, move: Move) -> None:
        """A tensor that is a view of another."""
        if tensor is of:
            return
        base, tag = self.entry(of), self.tag(of)
        root = base.root or base
        self._entries[tensor] = Entry(
            tuple(tensor.shape),
            tag and compact(tag.moved(move)),
            root=root,
            moves=(*base.moves, move),
            seen=root.version,
        )

    def write(self, tensor: Tensor, tag: Tag | None) -> bool:
        """New content for a tensor that may be a view; False where its root could only be joined with it."""
        entry = self.entry(tensor)
        entry.value = None
        root = entry.root
        if root is None:
            entry.tag = tag
            entry.version += 1
            return True
        written, known = None, tag if tag is not None else root.tag
        if known is not None:
            new = tag if tag is not None else empty_like(known, len(entry.shape))
            before = root.tag if root.tag is not None else empty_like(known, len(root.shape))
            written = _written(before, root.shape, entry.moves, new)
            root.tag = written or joined([before, new.melted(len(root.shape))])
        root.value = None
        root.version += 1
        return known is None or written is not None


def _through(tag: Tag | None, moves: Sequence[Move]) -> Tag | None:
    for move in moves:
        tag = tag and tag.moved(move)
    return tag and compact(tag)


def _written(root: Tag, shape: tuple[int, ...], moves: Sequence[Move], value: Tag) -> Tag | None:
    """`root` with `value` where the moves lead; None where they lead to copies and not into it."""
    made = []
    for axis, new in zip(root.axes, value.axes, strict=True):
        full = _spread(axis.hull, shape, moves, new.hull)
        if full is None:
            return None
        parts: list[Array | None] = []
        for old, content in ((axis.hull, new.hull), (axis.short, new.short), (axis.bits, new.bits)):
            if old is None or content is None:
                parts.append(None)
                continue
            fresh = np.broadcast_to(old, (len(old), *full)).copy()
            target = fresh
            for move in moves:
                target = move(target)
            if not np.may_share_memory(target, fresh):
                return None
            target[...] = content
            parts.append(fresh)
        hull, short, bits = parts
        assert hull is not None
        assert short is not None
        made.append(Reach(hull, short, bits))
    because = tuple(a or b for a, b in zip(root.because, value.because, strict=True))
    return Tag(tuple(made), because)


def _spread(old: Array, shape: tuple[int, ...], moves: Sequence[Move], value: Array) -> list[int] | None:
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
