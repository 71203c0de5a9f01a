"""Images that are there twice: the same pixels, or nearly; in one part, across parts, and under two labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch

from cnnlab.data.copies import NEAR
from cnnlab.data.leaks import FLAT, find_leaks, nearest_before, perceptual_hashes
from cnnlab.project.init.look import Looked, Seen, small_copies


@dataclass(frozen=True)
class Pair:
    """Two images that are alike."""

    first: Seen
    second: Seen
    exact: bool
    """Whether their pixels are the same."""

    @property
    def across_parts(self) -> bool:
        """Whether they are in different parts."""
        return self.first.part != self.second.part

    @property
    def two_labels(self) -> bool:
        """Whether they have different labels: at least one is wrong, or the image shows both."""
        return self.first.label != self.second.label


@dataclass(frozen=True)
class Twins:
    """Each image that is like an earlier one, once with that one, and each that is like one of another part."""

    within: tuple[Pair, ...]
    across: tuple[Pair, ...]
    flat: int
    """Images with too little contrast to be compared by hash."""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All, those across parts first, and of these the exact ones."""
        return tuple(sorted((*self.across, *self.within), key=lambda pair: (not pair.across_parts, not pair.exact)))

    def count(self, *, exact: bool, across: bool) -> int:
        """How many images are such copies."""
        return sum(pair.exact == exact for pair in (self.across if across else self.within))


def find_twins(looked: Looked) -> Twins:
    """Compare every image with all others.

    Arguments:
        looked: of which the fingerprints and small copies are compared.

    Returns:
        Exact copies by their pixels, near ones by the perceptual hash of the small copies.
    """
    parts = {part: looked.of(part) for part in ("train", "validation", "test")}
    within = tuple(pair for seen in parts.values() for pair in _within(seen))
    across = tuple(
        pair for a, b in combinations(parts, 2) if parts[a] and parts[b] for pair in _across(parts[a], parts[b])
    )
    _, contrast = perceptual_hashes(small_copies(looked.seen))
    return Twins(within, across, int((contrast < FLAT).sum()))


def _within(seen: Sequence[Seen]) -> list[Pair]:
    if len(seen) < 2:
        return []
    first: dict[bytes, Seen] = {}
    pairs, singles = [], []
    for one in seen:
        if one.fingerprint in first:
            pairs.append(Pair(first[one.fingerprint], one, exact=True))
        else:
            first[one.fingerprint] = one
            singles.append(one)
    hashes, contrast = perceptual_hashes(small_copies(singles))
    rich = (contrast >= FLAT).nonzero().squeeze(1)
    nearest, distances = nearest_before(hashes[rich])
    for second in (distances <= NEAR).nonzero().squeeze(1).tolist():
        pairs.append(Pair(singles[int(rich[nearest[second]])], singles[int(rich[second])], exact=False))
    return pairs


def _across(a: Sequence[Seen], b: Sequence[Seen]) -> list[Pair]:
    place = {one.fingerprint: one for one in reversed(a)}
    pairs = [Pair(place[one.fingerprint], one, exact=True) for one in b if one.fingerprint in place]
    rest = [one for one in b if one.fingerprint not in place]
    if not rest:
        return pairs
    leaks = find_leaks(small_copies(a), small_copies(rest), max_distance=NEAR)
    near = torch.cat([leaks.exact, leaks.near]).tolist()
    return pairs + [Pair(a[i], rest[j], exact=False) for i, j in near]
