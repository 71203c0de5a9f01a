"""Memory: how much this machine has, before the system ends a program that asks for more, and how garbage is sought."""

import atexit
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

CONTAINERS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files of Linux that say how many bytes a container may use; `max`, or a number beyond all memory, if all."""


def machine_memory() -> int | None:
    """Bytes, those of a container where this is one; None where the operating system does not tell."""
    if not hasattr(os, "sysconf"):
        return None
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_limits()])


@cache
def _limits() -> tuple[int, ...]:
    found = []
    for place in CONTAINERS:
        try:
            text = Path(place).read_text(encoding="ascii").strip()
        except OSError:
            continue
        found += [int(text)] if text.isdecimal() else []
    return tuple(found)


def gigabytes(count: float) -> str:
    """`1.5 GB`: bytes, with as many digits as a person compares."""
    return f"{count / 1e9:,.1f} GB" if count < 1e11 else f"{count / 1e9:,.0f} GB"


@contextmanager
def paused() -> Iterator[None]:
    """Stop the collector of garbage meanwhile, and let it go on if it did before.

    For work that keeps most of what it makes: the collector would look several times through all of that, and through
    all that torch holds beside it (a third of the time of a walk, see `cnnlab.walk`), and find nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def spared() -> Iterator[None]:
    """Stop the collector meanwhile: for imports as large as torch's, of a million objects that all stay.

    The collector would look through them again and again while they are made (a third of the time of the import), in
    every later search, and once more when the process ends.
    """
    with paused():
        try:
            yield
        finally:
            if gc.get_freeze_count() == 0:  # once: what is frozen later may be garbage by then
                gc.freeze()


def leave_without_a_search() -> None:
    """When the process ends, leave its memory to the system: a last search for garbage would take up to a second."""
    atexit.register(gc.freeze)
