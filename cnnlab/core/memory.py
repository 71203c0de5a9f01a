"""How much memory this machine has, before the operating system ends a program that asks for more."""

import os
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
