"""Images that appear in a folder: each is given out once it is whole, and again when it changes."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from cnnlab.core.errors import RequestError
from cnnlab.data.decoding import read_image
from cnnlab.data.listing import files_below
from cnnlab.evaluation.stream.arrival import Arrival
from cnnlab.network.image_files import Source

INTERVAL = 0.05
"""Seconds between two looks into the folder; where it has so many files that a look takes long, they are rarer."""

PATIENCE = 2.0
"""Seconds for which a file that cannot be read must not have changed before that is said: who writes it may be slow."""

Mark: TypeAlias = tuple[int, int, int]
"""Of a file its number in the file system, its size in bytes, and when it was changed: another one is another image."""


wait: Callable[[float], None] = time.sleep
"""What passes the time between two looks."""


@dataclass
class WatchedFolder:
    """A folder that is looked into again and again.

    Attributes:
        path: the folder; folders in it belong to it.
        existing: whether the images that are there already are given out, too.
        pause: waits so many seconds.
    """

    path: Path
    existing: bool = False
    pause: Callable[[float], None] = field(default_factory=lambda: wait)
    _done: dict[Path, Mark] = field(default_factory=dict, init=False, repr=False)
    _seen: dict[Path, tuple[Mark, float]] = field(default_factory=dict, init=False, repr=False)

    def arrivals(self) -> Iterator[Arrival]:
        """The images, for as long as the caller wants more.

        One is taken for whole when two looks find it the same and it can be read; what cannot be read for `PATIENCE`
        seconds is given out nevertheless, so that it is told.

        Raises: RequestError where the path is no folder, or is none any more.
        """
        self.check()
        if not self.existing:
            self._done = self._marks()
        number = 0
        while True:
            began = time.perf_counter()
            for path in self.whole():
                yield Arrival(Source(str(path)), time.perf_counter(), number)
                number += 1
            self.pause(max(INTERVAL, 3 * (time.perf_counter() - began)))

    def check(self) -> None:
        """Refuse what is no folder.

        Raises: RequestError for it.
        """
        if not self.path.is_dir():
            raise RequestError(f"`watch` is '{self.path}': {_not_a_folder(self.path)}")

    def whole(self) -> list[Path]:
        """The images that are new or have changed and are whole now, in the order in which they were written."""
        marks, now, ready = self._marks(), time.monotonic(), []
        self._done = {path: mark for path, mark in self._done.items() if path in marks}
        seen = {}
        for path, mark in marks.items():
            if self._done.get(path) == mark:
                continue
            before, since = self._seen.get(path, (None, now))
            if before != mark:
                seen[path] = (mark, now)
            elif now - since < PATIENCE and not _readable(path):
                seen[path] = (mark, since)
            else:
                ready.append((mark[2], path))
                self._done[path] = mark
        self._seen = seen
        return [path for _, path in sorted(ready)]

    def _marks(self) -> dict[Path, Mark]:
        if not self.path.is_dir():
            raise RequestError(f"{self.path}: the folder that is watched is gone")
        try:
            paths = files_below(self.path)[0]
        except RequestError:  # a folder in it was taken away meanwhile; what is still wrong at a second look is told
            paths = files_below(self.path)[0]
        found = {}
        for path in paths:
            try:
                status = os.stat(path)
            except OSError:  # it was taken away meanwhile
                continue
            found[path] = (status.st_ino, status.st_size, status.st_mtime_ns)
        return found


def _readable(path: Path) -> bool:
    try:
        read_image(path)
    except RequestError:
        return False
    return True


def _not_a_folder(path: Path) -> str:
    return "is a file; `watch` takes the folder that images appear in" if path.exists() else "no such folder"
