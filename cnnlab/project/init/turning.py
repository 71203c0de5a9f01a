"""Whether the classes survive a mirror or a turn: told by their names, and measured on the images.

Measured with histograms of gradient directions in 4 × 4 cells (Dalal & Triggs 2005, "Histograms of oriented gradients
for human detection") and ridge regression: one fold of the images is answered by what the others taught, as it is,
mirrored, and upside down.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from cnnlab.core.characters import per_cent, some
from cnnlab.core.seeds import derive_seed
from cnnlab.project.init.look import Seen, small_copies

FOLDS, CELLS, DIRECTIONS, RIDGE = 5, 4, 8, 0.1
AT_MOST = 4000
"""Images that are measured, evenly out of more: a second or two."""
FEWEST = 8
"""Images of a class below which nothing is said of it."""
SWAPPED = 0.3
"""Share of a class's images that another takes only when they are mirrored, from which on the two are mirror images."""
LOST = 0.4
"""Share of the accuracy above chance that is lost where turned images are of another kind than those that are there."""
KEPT = 0.1
"""Share of it that may be lost where images are said to have no upright …"""
ENOUGH = 200
"""… and how many images that takes."""
ABOVE, ERRORS = 0.1, 4
"""Accuracy above chance, and standard errors of chance, from which the simple classifier's answers count."""
SIDES = {
    *("left", "right", "west", "east", "clockwise", "counterclockwise", "anticlockwise", "cw", "ccw"),
    *("l", "r", "lhs", "rhs", "sinister", "dexter"),
}
NUMBERS = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
LETTER_WORDS = {"letter", "char", "character", "glyph", "digit", "number", "numeral", "text", "word"}
COLOURS = {
    *(
        "red",
        "green",
        "blue",
        "yellow",
        "orange",
        "brown",
        "black",
        "white",
        "grey",
        "gray",
        "pink",
        "purple",
        "violet",
    ),
    *("ripe", "unripe", "rotten", "fresh", "raw"),
}


@dataclass(frozen=True)
class Survival:
    """How a simple classifier answers images that a change has turned."""

    kept: float
    """Accuracy on them, the mean over the classes, 0 … 1; NaN where nothing was measured."""
    swaps: tuple[tuple[str, str, float], ...]
    """(class, the class that takes its images, which share of them more than without the change)."""


@dataclass(frozen=True)
class Turning:
    """What names and images say."""

    named: str
    """Why the names forbid a mirror, in words; empty where they do not."""
    coloured: str
    """Why the names forbid other colours; empty where they do not."""
    plain: float
    """The simple classifier's accuracy on images as they are, the mean over the classes; NaN where too few."""
    chance: float
    measured: int
    """Images."""
    mirrored: Survival
    upside_down: Survival

    @property
    def telling(self) -> bool:
        """Whether the simple classifier is so far above chance that what it says of turned images counts."""
        error = sqrt(self.chance * (1 - self.chance) / max(1, self.measured))
        return self.plain - self.chance >= max(ABOVE, ERRORS * error)

    @property
    def may_mirror(self) -> bool:
        """Whether `flip` is written."""
        return not self.named and not (self.telling and (self.mirrored.swaps or self._loses(self.mirrored, LOST)))

    @property
    def has_no_upright(self) -> bool:
        """Whether upside down the images are told as well, so that `vertical_flip` is written."""
        enough = self.telling and self.measured >= ENOUGH
        return self.may_mirror and enough and not self._loses(self.upside_down, KEPT)

    def _loses(self, survival: Survival, most: float) -> bool:
        return self.plain - survival.kept > most * (self.plain - self.chance)

    @property
    def about_mirror(self) -> str:
        """What was found of mirrored images, in sentences."""
        if self.named:
            return f"{self.named}; mirrored, an image would be of another class or of none{self._numbers}"
        if not self.telling:
            return f"nothing in the class names is against it; it could not be measured{self._numbers}"
        if self.mirrored.swaps:
            a, b, share = self.mirrored.swaps[0]
            more = f"{per_cent(share)} more of the images of '{a}' are told as '{b}'"
            return f"mirrored, {more}: mirror images{self._numbers}"
        if not self.may_mirror:
            return f"mirrored images are of another kind than those that are there{self._numbers}"
        return f"the classes survive it{self._numbers}"

    @property
    def _numbers(self) -> str:
        if self.plain != self.plain:
            return " (too few images)"
        plain, chance = per_cent(self.plain), per_cent(self.chance)
        mirrored, upside_down = per_cent(self.mirrored.kept), per_cent(self.upside_down.kept)
        return (
            f" (a simple classifier is right for {plain} of {self.measured:,} images, {mirrored} mirrored, "
            f"{upside_down} upside down; chance {chance})"
        )


def study_turning(seen: Sequence[Seen]) -> Turning:
    """Ask names and images whether the classes survive.

    Arguments:
        seen: the images of the training part.

    Returns:
        What the names say, and accuracies as they are, mirrored and upside down; the same for the same images.
    """
    labels = sorted({one.label for one in seen})
    words = {label: set(_words(label)) for label in labels}
    counts = Counter(one.label for one in seen)
    fair = [label for label in labels if counts[label] >= FEWEST]
    chosen = [one for one in seen if one.label in fair]
    chosen = chosen[:: -(-len(chosen) // AT_MOST)] if chosen else []
    nothing = Survival(float("nan"), ())
    if len(fair) < 2:
        return Turning(_sided(words), _colours(words), float("nan"), 1 / len(labels), 0, nothing, nothing)
    truth = torch.tensor([fair.index(one.label) for one in chosen])
    small = small_copies(chosen).float().mean(1) / 255
    plain, mirrored, upside_down = _answers(small, truth, len(fair))
    table = _table(truth, plain, len(fair))
    return Turning(
        _sided(words),
        _colours(words),
        float(table.diagonal().mean()),
        1 / len(fair),
        len(chosen),
        _survival(table, _table(truth, mirrored, len(fair)), fair),
        _survival(table, _table(truth, upside_down, len(fair)), fair),
    )


def _words(label: str) -> list[str]:
    parts = re.split(r"[^A-Za-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", label))
    return [part.lower() for part in parts if part]


def _quoted(labels: Sequence[str], most: int) -> str:
    """The first of them: in quotes, as one may be `no`, `all` or a number."""
    return some([f"'{label}'" for label in labels], most)


def _sided(words: dict[str, set[str]]) -> str:
    """Why these names forbid a mirror: digits, letters, sides."""
    sides = [label for label, found in words.items() if found & (SIDES - {"l", "r"})]
    if sides:
        return f"the class name '{sides[0]}' names a side"
    single = [label for label in words if len(label) == 1 or label.lower() in NUMBERS or label.isdecimal()]
    lettered = [label for label, found in words.items() if found & LETTER_WORDS]
    for told in (single, lettered):
        if len(told) >= max(2, len(words) / 2):
            whole = "" if len(told) == len(words) else f"{len(told):,} of {len(words):,} "
            return f"{whole or 'the '}class names ({_quoted(told, 3)}) are digits or letters"
    pairs = [label for label in words if {"l", "r"} & words[label]]
    if len(pairs) >= 2 and {"l", "r"} <= set().union(*words.values()):
        return f"the class names '{pairs[0]}' and '{pairs[1]}' name sides"
    return ""


def _colours(words: dict[str, set[str]]) -> str:
    found = [label for label, parts in words.items() if parts & COLOURS]
    return f"the class name '{found[0]}' is about colour" if found else ""


def _features(small: Float[Tensor, "n s s"]) -> Float[Tensor, "n f"]:
    """Histograms of gradient directions, each image's of length 1, and a constant."""
    padded = F.pad(small[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    right = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    strength = (right.square() + down.square()).sqrt()
    turn = torch.atan2(down, right) / (2 * torch.pi) * DIRECTIONS
    low = turn.floor()
    share = turn - low
    bins = torch.zeros(len(small), DIRECTIONS, *small.shape[1:])
    bins.scatter_add_(1, (low.long() % DIRECTIONS)[:, None], (strength * (1 - share))[:, None])
    bins.scatter_add_(1, ((low.long() + 1) % DIRECTIONS)[:, None], (strength * share)[:, None])
    cells = F.adaptive_avg_pool2d(bins, CELLS).flatten(1)
    cells = cells / cells.norm(dim=1, keepdim=True).clamp(min=1e-6)
    return torch.cat([cells, torch.ones(len(cells), 1)], 1)


def _answers(
    small: Float[Tensor, "n s s"], truth: Int64[Tensor, "n"], classes: int
) -> tuple[Int64[Tensor, "n"], Int64[Tensor, "n"], Int64[Tensor, "n"]]:
    """Answers to each image as it is, mirrored and upside down, by what the other folds taught."""
    ways = [_features(small).double(), _features(small.flip(2)).double(), _features(small.flip(1)).double()]
    generator = torch.Generator().manual_seed(derive_seed(0, "init", "folds"))
    fold = torch.randperm(len(small), generator=generator) % FOLDS
    # every class counts the same, however many images it has
    weight = (1 / torch.bincount(truth, minlength=classes).clamp(min=1).double())[truth].sqrt()[:, None]
    wanted = F.one_hot(truth, classes).double()
    answers = [torch.empty(len(small), dtype=torch.int64) for _ in ways]
    for number in range(FOLDS):
        learn, ask = fold != number, fold == number
        x, y = ways[0][learn] * weight[learn], wanted[learn] * weight[learn]
        scale = float(x.square().sum()) / x.shape[1]
        solved = torch.linalg.solve(x.T @ x + RIDGE * scale * torch.eye(x.shape[1]).double(), x.T @ y)
        for answer, way in zip(answers, ways, strict=True):
            answer[ask] = (way[ask] @ solved).argmax(1)
    return answers[0], answers[1], answers[2]


def _table(truth: Int64[Tensor, "n"], answers: Int64[Tensor, "n"], classes: int) -> Float[Tensor, "c c"]:
    """Of each class (row) the share that is told as each class."""
    counts = torch.bincount(truth * classes + answers, minlength=classes**2).view(classes, classes).float()
    return counts / counts.sum(1, keepdim=True)


def _survival(plain: Float[Tensor, "c c"], turned: Float[Tensor, "c c"], classes: Sequence[str]) -> Survival:
    more = turned - plain
    found = [(more[a, b].item(), a, b) for a in range(len(classes)) for b in range(len(classes)) if a != b]
    swaps = sorted(((share, a, b) for share, a, b in found if share >= SWAPPED), reverse=True)
    return Survival(float(turned.diagonal().mean()), tuple((classes[a], classes[b], share) for share, a, b in swaps))
