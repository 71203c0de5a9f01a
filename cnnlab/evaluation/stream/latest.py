"""A stream that is read while the network works: every frame, or the latest one whenever it is free."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from threading import Condition, Thread

from cnnlab.evaluation.stream.arrival import Arrival
from cnnlab.network.image_files import Source

WAITING = 8
"""Frames that wait where every one is kept; more are left in the stream."""


def arrivals(frames: Iterable[Source], *, every: bool = False) -> Iterator[Arrival]:
    """Read `frames` in a thread of their own, and give out what has come.

    Arguments:
        frames: waits for each.
        every: whether all are given out, in order, however long that takes; otherwise a frame for which nobody was
            free before the next one came is dropped. The last one of a stream never is.

    Yields:
        The frames, each with how many were dropped before it.

    Raises:
        Exception: what `frames` raises, after the frames before it.

    Example:
        >>> [one.source.name for one in arrivals([Source("a"), Source("b")], every=True)]
        ['a', 'b']
    """
    reader = _Reader(frames, WAITING if every else 1, every)
    Thread(target=reader.run, name="frames", daemon=True).start()
    try:
        yield from reader.arrivals()
    finally:
        reader.stop()


class _Reader:
    """The frames that wait, and what both threads must know of each other."""

    def __init__(self, frames: Iterable[Source], room: int, every: bool) -> None:
        self._frames, self._room, self._every = frames, room, every
        self._waiting: deque[tuple[int, float, Source]] = deque()
        self._changed = Condition()
        self._ended = self._stopped = False
        self._failure: Exception | None = None

    def run(self) -> None:
        """Read until the stream ends."""
        try:
            for number, source in enumerate(self._frames):
                at = time.perf_counter()
                with self._changed:
                    if self._every:
                        self._changed.wait_for(lambda: len(self._waiting) < self._room or self._stopped)
                    else:
                        self._waiting.clear()
                    if self._stopped:
                        return
                    self._waiting.append((number, at, source))
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 (raised again where the frames are used)
            self._failure = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def arrivals(self) -> Iterator[Arrival]:
        """What has come, until the stream ends."""
        before = -1
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self._ended)
                if not self._waiting:
                    break
                number, at, source = self._waiting.popleft()
                self._changed.notify_all()
            yield Arrival(source, at, number, number - before - 1)
            before = number
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Nobody takes more; the thread ends with the next frame."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
