"""Stdout for results alone, where they are a document that a program reads: JSON, CSV or YAML."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO

STDOUT, STDERR = 1, 2
"""Their descriptors."""

_streams: list[TextIO] = []


def result_stream() -> TextIO:
    """Stdout, also inside of `results_alone`."""
    return _streams[-1] if _streams else sys.stdout


def print_document(text: str) -> None:
    """Write a document to the stream of results, at once."""
    stream = result_stream()
    stream.write(text)
    stream.flush()


@contextmanager
def results_alone() -> Iterator[None]:
    """Inside, stdout is for `print_document` alone: what else is written there goes to stderr.

    That is what a network's own code prints, and what it, its libraries and the programs that it starts write to the
    descriptor of stdout.
    """
    with _descriptor_aside(sys.stdout) as stream, redirect_stdout(sys.stderr):
        _streams.append(stream)
        try:
            yield
        finally:
            _streams.pop()


@contextmanager
def _descriptor_aside(stdout: TextIO) -> Iterator[TextIO]:
    """`stdout` by a descriptor of its own, while that of stdout leads to stderr; a stream without it stays as it is."""
    saved = _moved(stdout)
    if saved is None:
        yield stdout
        return
    stream = open(saved, "w", encoding=stdout.encoding, errors=stdout.errors, closefd=False)  # noqa: SIM115
    try:
        yield stream
    finally:
        _flush(stdout)
        os.dup2(saved, STDOUT)
        with suppress(OSError):  # of a reader that left, which was told as it was written to
            stream.close()
        os.close(saved)


def _moved(stdout: TextIO) -> int | None:
    """Let the descriptor of stdout lead to stderr; a new one for what it led to, None where it is not `stdout`'s."""
    try:
        if stdout.fileno() != STDOUT:
            return None
        stdout.flush()
        saved = os.dup(STDOUT)
    except (OSError, ValueError, AttributeError):  # in memory, or closed
        return None
    try:
        os.dup2(STDERR, STDOUT)
    except OSError:  # stderr is closed
        os.close(saved)
        return None
    return saved


def _flush(stdout: TextIO) -> None:
    """Write what Python and the library of C keep for the descriptor of stdout, as long as it leads to stderr."""
    with suppress(OSError, ValueError):
        stdout.flush()
    if (ctypes := sys.modules.get("ctypes")) is not None and os.name == "posix":
        ctypes.CDLL(None).fflush(None)
