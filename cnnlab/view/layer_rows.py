"""Which layers a table shows: all of a small network, of a deep one those of an upper level."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from cnnlab.core.characters import formatted

MOST = 40
"""Rows that are still read."""


class Row(Protocol):
    """What a layer's row knows of its place."""

    @property
    def name(self) -> str:
        """The path."""

    @property
    def depth(self) -> int:
        """Length of the path; 0 for the network itself."""

    @property
    def leaf(self) -> bool:
        """Whether it holds no other layers."""


R = TypeVar("R", bound=Row)


def at_depth(rows: Sequence[R], depth: int | None = None) -> list[R]:
    """The layers at `depth`, and those above that hold no others; by default as deep as `MOST` rows allow."""
    if depth is not None:
        return [row for row in rows if row.depth == depth or (row.leaf and row.depth < depth)] or list(rows)
    deepest = max((row.depth for row in rows), default=0)
    for level in range(deepest, 1, -1):
        chosen = at_depth(rows, level)
        if len(chosen) <= MOST:
            return chosen
    return at_depth(rows, 1)


def size_text(shape: Sequence[int], times: str = " × ") -> str:
    """`64 × 56 × 56`."""
    return times.join(map(str, shape))


def pair_text(values: Sequence[float | int | None]) -> str:
    """`7`, or `7 × 5` (vertical × horizontal) where the axes differ; `–` for nothing."""
    texts = ["–" if value is None else formatted(value, "g") for value in values]
    return texts[0] if len(set(texts)) == 1 else " × ".join(texts)
