"""Errors that a person can act on: each gives the value, the place and the way out.

Exit codes: 0 done, 1 the work failed, 2 the request was wrong.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import ClassVar

from cnnlab.core.characters import printable, some


class CnnlabError(Exception):
    """Abstract: what the command line prints without a traceback, a line for each argument.

    A line end inside of an argument, such as one in the name of a file, begins no other line.
    """

    exit_code: ClassVar[int]
    details: tuple[str, ...] = ()
    """Lines that are shown below the message, such as the calls that led to an error in a user's own code."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The message, line by line."""
        return tuple(str(line).replace("\n", r"\n") for line in self.args)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class WorkError(CnnlabError):
    """The request was sound, and the work failed: a diverged loss, a full disk, a broken download."""

    exit_code = 1


class WriteError(WorkError):
    """A file could not be written: the disk is full, read only, or its rules forbid it."""

    def __init__(self, place: object, reason: str, way_out: str) -> None:
        self.place, self.reason, self.way_out = place, reason, way_out
        super().__init__(f"{place}: {reason}" + (f"; {way_out}" if way_out else ""))


class RequestError(CnnlabError):
    """The request itself was wrong: a missing file, an unknown name, a value out of range."""

    exit_code = 2


class ShapeError(CnnlabError):
    """A layer does not fit its input; whoever built the layer adds the place (see `cnnlab.models.build`)."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: where it stands and what is wrong with it."""

    place: str
    message: str
    within: str = field(default="", compare=False)
    """` (in block 'stem', used on line 9)` where the place is read once for each use; the first use is told."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}{self.within}" if self.place else f"{self.message}{self.within}"


class ConfigError(CnnlabError):
    """Every mistake found in a config, in the order in which it stands there."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(*self.problems)


def first_line(error: BaseException) -> str:
    """The first line of what an error of another library says; its type, where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'conv'?` where one of `known` is near `word`, otherwise an empty string."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """`no layer 'cov'; known: conv, … Did you mean 'conv'?`: the sentence for a name that is not there."""
    names = [printable(name) for name in known]  # a line end in one would begin another error
    return f"no {what} '{printable(word)}'; known: {some(names, 12) or 'none'}.{did_you_mean(word, names)}"
