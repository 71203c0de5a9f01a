"""An image of a stream, on its way to the network."""

from dataclasses import dataclass

from cnnlab.network.image_files import Source


@dataclass(frozen=True)
class Arrival:
    """An image that has come."""

    source: Source
    at: float
    """When all of it was there, in seconds of `time.perf_counter`."""
    frame: int
    """Its number in the stream, from 0; frames that are dropped count."""
    dropped: int = 0
    """Frames between the one that was answered before and this one."""
