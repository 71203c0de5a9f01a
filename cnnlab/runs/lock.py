"""Which process trains a run: a lock on a file in its folder, which falls to the system when its holder dies."""

import errno
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnlab.core.errors import RequestError
from cnnlab.core.files import failures_named, refuse_links

LOCK = "training.lock"
"""There while a run is trained; it holds the number of the process and the name of its machine."""

HELD = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
"""What the systems say when another one has the lock; whatever else they say, they have no locks there."""

ROOM = 16_384
"""Bytes that the lock file holds besides: where the disk becomes full, they are room to record how a run ended."""

PATIENCE = 1.0
"""Seconds that a process which has just taken the lock needs at most to write its number into it."""


@contextmanager
def training_lock(folder: Path) -> Iterator[str | None]:
    """While inside, no other process trains the run in `folder`; yields a remark where its file system has no locks.

    A lock file that a killed process left behind is taken over: the lock died with the process.

    Raises: RequestError with the number of the process that trains the run.
    """
    path = folder / LOCK
    refuse_links(path)
    with failures_named(path):
        handle, locked = _take(path, folder)
    try:
        yield None if locked else f"the file system of {folder} has no locks: train this run in one process at a time"
    finally:
        if sys.platform == "win32":  # which removes no file that is open
            os.close(handle)
            with suppress(OSError):
                path.unlink()
        else:
            with suppress(OSError):  # the folder may have become read only, or have moved; the lock ends all the same
                path.unlink()
            os.close(handle)


def give_room(folder: Path) -> None:
    """Give the lock file's room back to the disk; called by the process that trains the run in `folder`."""
    with suppress(OSError):
        os.truncate(folder / LOCK, len(_own_line()))


def _own_line() -> bytes:
    return f"{os.getpid()} {socket.gethostname()}\n".encode()


def is_held(folder: Path) -> bool:
    """Whether a process trains the run in `folder` now."""
    try:
        with training_lock(folder):
            return False
    except RequestError:
        return True


def is_abandoned(folder: Path) -> bool:
    """Whether the process that trained the run in `folder`, whose record is not closed, has died; writes nothing.

    Where another machine trained it, or the file system has no locks, nobody can tell, and it is not.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(folder / LOCK, flags)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        machine = os.read(handle, 1000).split()[1:2]
        if not stat.S_ISREG(os.fstat(handle).st_mode) or machine != [socket.gethostname().encode()]:
            return False
        _lock(handle)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(handle)


def _take(path: Path, folder: Path) -> tuple[int, bool]:
    """The open lock file, and whether it is locked (otherwise the file system has no locks)."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    while True:
        handle = os.open(path, flags, 0o666)
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise RequestError(f"{path}: is no regular file; move it away")
            try:
                _lock(handle)
                locked = True
            except OSError as error:
                if error.errno in HELD:
                    raise RequestError(f"the run {folder.name} is being trained by {_holder(path)}") from None
                locked = False
            # the one before may have removed the file between the opening and the lock; a hard link is another's file
            if facts.st_nlink > 1 or not _is_there(path, facts):
                if facts.st_nlink > 1:
                    path.unlink(missing_ok=True)
                os.close(handle)
                continue
            os.ftruncate(handle, 0)
            os.write(handle, _own_line())
            with suppress(OSError):
                os.write(handle, b" " * ROOM)
            return handle, locked
        except BaseException:
            os.close(handle)
            raise


def _is_there(path: Path, facts: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), facts)
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    """`process 4711`, with its machine where that is another one."""
    deadline = time.monotonic() + PATIENCE
    words: list[str] = []
    while len(words) < 2 and time.monotonic() < deadline:
        try:
            words = path.read_text(encoding="utf-8", errors="replace").split()
        except OSError:
            break
        if len(words) < 2:
            time.sleep(0.01)
    if len(words) != 2 or not words[0].isdecimal():
        return "another process"
    number, machine = words
    return f"process {number}" + ("" if machine == socket.gethostname() else f" on {machine}")


if sys.platform == "win32":
    import msvcrt

    BEYOND = 1 << 30
    """The byte that is locked: Windows forbids to read a locked one."""

    def _lock(handle: int) -> None:
        os.lseek(handle, BEYOND, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
