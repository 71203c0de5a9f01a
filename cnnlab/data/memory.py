"""Whether images fit into memory, before the operating system ends the program."""

from cnnlab.core.errors import RequestError
from cnnlab.core.memory import machine_memory


def check_memory(count: int, channels: int, size: int) -> None:
    """Refuse `count` square images of `size` pixels, a byte a value, that do not fit into this machine's memory twice.

    Raises: RequestError with the memory needed and that of the machine.
    """
    needed, available = count * channels * size * size, machine_memory()
    if available is not None and 2 * needed > available:
        raise RequestError(
            f"{count:,} images of {size} × {size} pixels take {needed / 1e9:,.1f} GB, and as much again when the "
            f"validation part is taken out of them; this machine has {available / 1e9:,.1f} GB of memory; choose a "
            "smaller 'size' or fewer images"
        )
