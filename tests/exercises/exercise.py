"""An exercise of the chapter, and the commands that answer it."""

import re
from dataclasses import dataclass

ROUNDING = re.compile(r"\b\d\.\de-(0[5-9]|[1-9]\d)\b")
"""A number below 1e-4 is one of rounding, which is another one on another machine."""

EPSILON = "      ε"
"""As wide as such a number."""


@dataclass(frozen=True)
class Answer:
    """A command, and what is shown of what it prints."""

    command: str
    """As it is typed, without `cnnlab`."""
    shows: tuple[str, ...] = ()
    """Regular expressions: only lines in which one of them is found are shown; all lines without any."""
    from_run: bool = False
    """Whether it needs a run that takes long: its output is recorded, and not made again with the page."""

    def shown(self, output: str) -> list[str]:
        """The lines of the output that are shown; … stands where some are left out, ε for rounding errors.

        Raises: ValueError where an expression finds no line.
        """
        lines = [ROUNDING.sub(EPSILON, line.rstrip()) for line in output.rstrip().splitlines()]
        if not self.shows:
            return lines
        kept: list[str] = []
        for one in self.shows:
            if not any(re.search(one, line) for line in lines):
                raise ValueError(f"cnnlab {self.command}: no line with {one!r} in\n{output}")
        for line in lines:
            if any(re.search(one, line) for one in self.shows):
                kept.append(line)
            elif kept[-1:] != ["…"]:
                kept.append("…")
        return kept


@dataclass(frozen=True)
class Exercise:
    """What is asked, in short, and what cnnlab answers."""

    number: str
    """Such as 19.1.1."""
    asked: str
    answers: tuple[Answer, ...]
    says: str
    """What follows from it, in a sentence or two."""
