"""What the names say of patients, sessions, videos: images that must stay on one side of a split, and on what evidence.

Images of one session look alike. If some are trained on and others evaluated, memory passes for skill.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cnnlab.core.characters import per_cent
from cnnlab.project.init.look import Seen, small_copies

WORDS = (
    *("patient", "subject", "subj", "sub", "person", "animal", "individual", "user", "plant", "tree", "specimen"),
    *("session", "sess", "series", "study", "scan", "slide", "case", "visit", "trip", "day", "batch", "burst"),
    *("video", "clip", "sequence", "seq", "movie", "camera", "cam", "site", "location", "loc", "plot"),
)
"""What stands before the number of something of which there are several images."""

AT_MOST = 3000
"""Images of which the nearest is looked for, evenly out of more."""

LIKELY, TIMES = 0.2, 2.0
"""How much more often than by chance the nearest image must be of the same group where no word supports a pattern."""


@dataclass(frozen=True)
class Groups:
    """A pattern that fits every name."""

    pattern: str
    """As the option `groups` takes it."""
    what: str
    """What it finds, in words."""
    count: int
    largest: int
    """Images of the largest group."""
    examples: tuple[str, ...]
    """Two names, and the group of each."""
    same: float
    """How often the most similar image of the same class is of the same group, 0 … 1; NaN where there is nothing to
    compare."""
    chance: float
    """How often it would be by chance."""
    trusted: bool
    """Whether it is written into the config: a word says what it is, or the images do."""

    @property
    def evidence(self) -> str:
        """Why, in a sentence."""
        shown = "; ".join(self.examples)
        looks = (
            ""
            if self.same != self.same
            else f" The most similar image of the same class is of the same group in {per_cent(self.same)} of cases, "
            f"by chance {per_cent(self.chance)}."
        )
        return f"{self.what}: {self.count:,} groups of up to {self.largest:,} images ({shown}).{looks}"


def find_groups(seen: Sequence[Seen]) -> Groups | None:
    """Look for a pattern in the names that divides the images into groups larger than one and smaller than a class.

    Arguments:
        seen: the images of the training part.

    Returns:
        The first that fits every name, trusted ones first; None where none does.

    Example:
        >>> from pathlib import Path
        >>> pixels = torch.zeros(3, 32, 32, dtype=torch.uint8)
        >>> names = [f"{label}/patient{p:03d}_{i}.png" for label in "ab" for p in range(4) for i in range(3)]
        >>> rows = [Seen("train", n[0], n, Path(n), 8, 8, "L", False, False, n.encode(), pixels) for n in names]
        >>> found = find_groups(rows)
        >>> found.count, found.largest, re.search(found.pattern, names[0])[1]
        (4, 6, 'patient000')
    """
    names = [one.name for one in seen]
    candidates = [*_by_words(names), *_by_folder(names), *_by_prefix(names)]
    found = [groups for what, pattern, says in candidates if (groups := _measured(seen, what, pattern, says))]
    return next((one for one in found if one.trusted), found[0] if found else None)


def _by_words(names: Sequence[str]) -> list[tuple[str, str, bool]]:
    found = []
    for word in WORDS:
        pattern = rf"(?i)(?:^|[^a-z])({word}[-_ ]?\d+)"
        if names and all(re.search(pattern, name) for name in names):
            found.append((f"the names have the word '{word}' and a number", pattern, True))
    return found


def _by_folder(names: Sequence[str]) -> list[tuple[str, str, bool]]:
    return [("the images lie in folders inside their class", r"/(.+)/[^/]*$", True)]


def _by_prefix(names: Sequence[str]) -> list[tuple[str, str, bool]]:
    return [("the names begin alike before their last number", r"([^/]+?)[-_ .]*\d+\.\w+$", False)]


def _measured(seen: Sequence[Seen], what: str, pattern: str, says: bool) -> Groups | None:
    """The groups that a pattern makes; None where they are none: single images, or whole classes."""
    matches = [re.search(pattern, one.name) for one in seen]
    if not all(matches):
        return None
    groups = [match[1] for match in matches if match]
    sizes = Counter(groups)
    classes = len({one.label for one in seen})
    if len(sizes) < 4 or len(sizes) > 0.7 * len(seen) or max(sizes.values()) > 0.5 * len(seen):
        return None
    if len({(group, one.label) for group, one in zip(groups, seen, strict=True)}) < 2 * classes:
        return None  # a class is one group
    same, chance = _alike(seen, groups)
    trusted = says or (same >= chance + LIKELY and same >= TIMES * chance)
    first = [groups.index(group) for group in list(sizes)[:2]]
    examples = tuple(f"{seen[i].name} → {groups[i]}" for i in first)
    return Groups(pattern, what, len(sizes), max(sizes.values()), examples, same, chance, trusted)


def _alike(seen: Sequence[Seen], groups: Sequence[str]) -> tuple[float, float]:
    """How often the most similar image of the same class is of the same group, and how often by chance."""
    step = -(-len(seen) // AT_MOST)
    chosen = range(0, len(seen), step)
    small = small_copies([seen[i] for i in chosen]).float().mean(1).unfold(1, 2, 2).unfold(2, 2, 2).mean((3, 4))
    flat = small.flatten(1)
    flat = flat - flat.mean(1, keepdim=True)
    labels = [seen[i].label for i in chosen]
    number = {name: k for k, name in enumerate(dict.fromkeys(groups))}
    member = torch.tensor([number[groups[i]] for i in chosen])
    hits, chances = [], []
    for label in dict.fromkeys(labels):
        own = torch.tensor([k for k, other in enumerate(labels) if other == label])
        mates = torch.bincount(member[own], minlength=len(number))[member[own]] - 1
        if len(own) < 3:
            continue
        apart = torch.cdist(flat[own], flat[own]).fill_diagonal_(float("inf"))
        hit = member[own][apart.argmin(1)] == member[own]
        hits += hit[mates > 0].tolist()
        chances += (mates[mates > 0] / (len(own) - 1)).tolist()
    if not hits:
        return float("nan"), float("nan")
    return sum(hits) / len(hits), sum(chances) / len(chances)
