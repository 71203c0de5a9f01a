"""Python's collector of garbage, kept from looking at what modules are made of."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def spared() -> Iterator[None]:
    """Stop the collector meanwhile: for imports as large as torch's, of a million objects that all stay.

    The collector would look through them again and again while they are made (a third of the time of the import), in
    every later search, and once more when the process ends.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:  # once: what is frozen later may be garbage by then
            gc.freeze()
        if was_on:
            gc.enable()


def leave_without_a_search() -> None:
    """When the process ends, leave its memory to the system: a last search for garbage would take up to a second."""
    atexit.register(gc.freeze)
