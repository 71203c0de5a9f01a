"""What the chapter states: a sentence with its number, what kind of statement it is, and the function that finds it.

A statement is registered by the decorator above the function that computes its number, in the file of its section:

    @printed("19.1", "inputs of a flattened 224 × 224 colour image", 150_528)
    def flattened() -> int: ...

Nothing that is found is written down here: `right` is what must come out, and a test breaks it to see the failure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from cnnlab.core.characters import formatted

if TYPE_CHECKING:
    from cnnlab.textbook.trained import TrainedRun

Value: TypeAlias = bool | int | float | str | tuple[Any, ...]
"""What is stated and found: numbers, words, yes or no, or several of them."""

Find = TypeVar("Find", bound=Callable[..., Any])


class Kind(StrEnum):
    """What can be done about a statement."""

    PRINTED = "printed"
    """It stands in the chapter, and is true."""
    MISPRINTED = "misprinted"
    """It stands in the chapter, and something else is true."""
    DERIVED = "derived"
    """It does not stand there, and follows: answers of exercises, implied numbers."""
    OF_A_RUN = "of a run"
    """It is about a trained network, and checked against a run that is named."""
    OF_THE_MACHINE = "of the machine"
    """A speed: measured, and never a failure."""
    ELSEWHERE = "elsewhere"
    """It needs a training of its own, by the command that is named."""
    STORY = "story"
    """A story, or a figure from the literature: nothing that can be tested here."""


@dataclass(frozen=True)
class Statement:
    """One row."""

    section: str
    """Such as 19.1."""
    sentence: str
    """What is counted or claimed."""
    kind: Kind
    printed: str
    """What stands in the chapter; empty for what does not."""
    right: Value | None = None
    """What must come out."""
    tolerance: float = 0.0
    """How far a number may lie from it."""
    least: float | None = None
    """In place of `right` a band: at least …"""
    most: float | None = None
    """… and at most, in the unit of what is found."""
    misprint: Value | None = None
    """The printed value, where it is wrong: what must not come out."""
    mistake: int | None = None
    """The number of the chapter's mistake that it shows, see `mistakes`."""
    note: str = ""
    """What to say beside it, such as the command that measures it."""
    dataset: str | None = None
    """The data set that a statement about a run speaks of: of a run on another nothing was claimed."""
    find: "Callable[[], Value] | Callable[[TrainedRun], Value | None] | None" = None
    """The function that finds the value; a run's may find nothing in it."""

    def accepts(self, found: Value) -> bool:
        """Whether what was found is what must come out, and is not the misprint."""
        if self.misprint is not None and agree(found, self.misprint, self.tolerance):
            return False
        if self.right is not None:
            return agree(found, self.right, self.tolerance)
        assert isinstance(found, int | float)
        return (self.least is None or found >= self.least) and (self.most is None or found <= self.most)

    @property
    def expected(self) -> str:
        """What must come out, in words."""
        if self.right is not None:
            return written(self.right)
        ends = [(sign, end) for sign, end in (("≥", self.least), ("≤", self.most)) if end is not None]
        return ", ".join(f"{sign} {written(end)}" for sign, end in ends)


STATEMENTS: list[Statement] = []
"""In the order of the chapter's table, once the files of its sections are imported (see `catalog`)."""


def agree(found: Value, right: Value, tolerance: float) -> bool:
    """Whether two values are the same, their numbers to within `tolerance`."""
    if isinstance(found, tuple) or isinstance(right, tuple):
        return (
            isinstance(found, tuple) and isinstance(right, tuple) and len(found) == len(right)
            and all(agree(one, other, tolerance) for one, other in zip(found, right, strict=True))
        )  # fmt: skip
    if isinstance(found, bool | str) or isinstance(right, bool | str):
        return type(found) is type(right) and found == right
    return abs(found - right) <= tolerance


def written(value: Value) -> str:
    """A value as it is shown: `150,528`, `7.8904`, `yes`, `3, 7, 15`.

    Example:
        >>> written((150_528, 7.8904110, True, (2.5, 2.0)))
        '150,528; 7.89041; yes; 2.5, 2'
    """
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return formatted(value, ",")
        case float():
            form = ",.0f" if abs(value) >= 10_000 else ".6g" if abs(value) >= 1e-4 or value == 0 else ".1e"
            return formatted(value, form)
        case str():
            return value
    return ("; " if any(isinstance(one, tuple) for one in value) else ", ").join(map(written, value))


def printed(
    section: str, sentence: str, right: Value, text: str = "", *, tolerance: float = 0.0, mistake: int | None = None
) -> Callable[[Find], Find]:
    """Register a statement that stands in the chapter and is true; `text`: as it stands there, `right` by default."""
    return _registered(
        section, sentence, Kind.PRINTED, text or written(right), right=right, tolerance=tolerance, mistake=mistake
    )


def misprinted(
    section: str, sentence: str, misprint: Value, right: Value, *, mistake: int, text: str = "", tolerance: float = 0.0
) -> Callable[[Find], Find]:
    """Register a statement whose printed value is wrong: `right` must come out, and not `misprint`."""
    return _registered(
        section, sentence, Kind.MISPRINTED, text or written(misprint), right=right, misprint=misprint,
        mistake=mistake, tolerance=tolerance,
    )  # fmt: skip


def derived(
    section: str, sentence: str, right: Value, *, tolerance: float = 0.0, mistake: int | None = None
) -> Callable[[Find], Find]:
    """Register what is not printed and follows."""
    return _registered(section, sentence, Kind.DERIVED, "", right=right, tolerance=tolerance, mistake=mistake)


def of_a_run(
    section: str,
    sentence: str,
    text: str,
    *,
    right: Value | None = None,
    least: float | None = None,
    most: float | None = None,
    tolerance: float = 0.0,
    dataset: str | None = "cifar10",
    mistake: int | None = None,
) -> Callable[[Find], Find]:
    """Register a statement about a trained network; the function gets the run. `dataset`: None for one about any."""
    return _registered(
        section, sentence, Kind.OF_A_RUN, text, right=right, least=least, most=most, tolerance=tolerance,
        dataset=dataset, mistake=mistake,
    )  # fmt: skip


def of_the_machine(section: str, sentence: str, text: str, *, least: float) -> Callable[[Find], Find]:
    """Register a speed, which is measured and never a failure."""
    return _registered(section, sentence, Kind.OF_THE_MACHINE, text, least=least)


def elsewhere(section: str, sentence: str, text: str, note: str) -> None:
    """Register a statement that needs a training of its own; `note`: the command that makes it."""
    STATEMENTS.append(Statement(section, sentence, Kind.ELSEWHERE, text, note=note))


def story(section: str, sentence: str, text: str, note: str = "") -> None:
    """Register a story, or a figure from the literature."""
    STATEMENTS.append(Statement(section, sentence, Kind.STORY, text, note=note))


def _registered(section: str, sentence: str, kind: Kind, text: str, **more: Any) -> Callable[[Find], Find]:
    def add(find: Find) -> Find:
        STATEMENTS.append(Statement(section, sentence, kind, text, find=find, **more))
        return find

    return add
