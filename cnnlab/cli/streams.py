"""Standard input, output and error made fit for whatever is written: called before anything is printed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import TextIO

from cnnlab.core.characters import SUBSTITUTES


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
