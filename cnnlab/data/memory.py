"""Whether pictures fit into memory, before the operating system ends the program."""

import os

from cnnlab.core.errors import RequestError


def check_memory(count: int, channels: int, size: int) -> None:
    """Nothing where `count` square pictures of `size` pixels, a byte a value, fit into this machine's memory.

    Raises: RequestError where they do not, with both numbers. Nothing is known on systems without `os.sysconf`.
    """
    if not hasattr(os, "sysconf"):
        return
    needed = count * channels * size * size
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise RequestError(
            f"{count:,} pictures of {size} × {size} pixels take {needed / 1e9:,.1f} GB, and this machine has "
            f"{available / 1e9:,.1f} GB of memory; choose a smaller 'size' or fewer pictures"
        )
