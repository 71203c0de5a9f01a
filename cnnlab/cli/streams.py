"""The standard streams, made fit for whatever is written; what stands on stderr beside the results: bars, remarks."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

import typer

from cnnlab.cli.options import err_console, print_json
from cnnlab.core.advance import Advance
from cnnlab.core.characters import SUBSTITUTES

if TYPE_CHECKING:
    from cnnlab.network.image_files import Unreadable


@contextmanager
def safe_streams() -> Iterator[None]:
    """While inside, no character is beyond a stream, and a closed stream is the null device.

    On leaving, what is still to be written is, or is given up: after this nothing can fail at the interpreter's end.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever called: a file opened next would get its number
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    changed = [(stream, stream.errors) for stream in (sys.stdout, sys.stderr) if isinstance(stream, TextIOWrapper)]
    for stream, _ in changed:
        stream.reconfigure(errors=SUBSTITUTES)
    try:
        yield
    finally:
        for stream, errors in changed:
            try:
                stream.reconfigure(errors=errors)  # writes what is left first
            except OSError:
                _give_up(stream)


def _give_up(stream: TextIO) -> None:
    """Let what is left for `stream` go to the null device: the interpreter would try again at its end, and complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):
        os.dup2(null, stream.fileno())
    os.close(null)


T = TypeVar("T")

LINE_AFTER = 15.0
"""Seconds after which work tells in a line how far it is, and again after as many, where no bar can be drawn."""


def say(remark: str) -> None:
    """A remark beside the results: a dim line on stderr."""
    err_console().print(remark, style="dim", soft_wrap=True, markup=False)


class Lines:
    """How far long work is, in a line now and then; nothing where stderr is a terminal, on which bars are drawn."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._drawn = err_console().is_terminal

    def at(self, what: str, done: int, total: int) -> None:
        """Of `total` steps of `what`, `done` are behind."""
        if not self._drawn and (now := time.monotonic()) - self._last >= LINE_AFTER:
            self._last = now
            say(f"{what}: {done:,} of {total:,}")


def with_bars(steps: Iterable[Advance | T]) -> T:
    """The result, which comes last; until then a bar for each kind of step, or lines where stderr is no terminal."""
    from cnnlab.view.bars import Bars

    lines = Lines()
    with Bars(err_console()) as progress:
        bars = {}
        for step in steps:
            if not isinstance(step, Advance):
                return step
            if step.what not in bars:
                bars[step.what] = progress.add_task(step.what)
            lines.at(step.what, step.done, step.total)
            progress.update(bars[step.what], completed=step.done, total=step.total)
    raise AssertionError("the steps end with the result")


def with_bar(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """`items`, with a bar that shows rate and time left where stderr is a terminal, and lines elsewhere."""
    from cnnlab.view.bars import Bars

    lines = Lines()
    with Bars(err_console()) as progress:
        for done, item in enumerate(progress.track(items, total=total, description=what)):
            lines.at(what, done, total)
            yield item


def name_unreadable(unreadable: "Sequence[Unreadable]") -> None:
    """A line on stderr for each."""
    from cnnlab.view.terminal import said

    for one in unreadable:
        err_console().print(said("[bold red]unreadable:[/] {}: {}", one.path, one.reason), soft_wrap=True)


def unreadable_json(unreadable: "Sequence[Unreadable]") -> list[dict[str, Any]]:
    """Path and reason of each."""
    return [{"path": one.path, "reason": one.reason} for one in unreadable]


def end_without_images(unreadable: "Sequence[Unreadable]", *, as_json: bool) -> NoReturn:
    """The end of a command of which no image could be read: exit code 1."""
    name_unreadable(unreadable)
    if as_json:
        message = f"none of the {len(unreadable)} images could be read"
        print_json({"error": message, "code": 1, "unreadable": unreadable_json(unreadable)})
    raise typer.Exit(1)
