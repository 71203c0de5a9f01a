"""Files appear whole or not at all: a temporary name in the same folder, fsync, rename. And only files are read."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

PART = ".part"
"""In the name of every temporary file, so that what a killed process left behind can be found."""


KINDS = {
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
"""What a path may lead to that has no end, or waits for somebody to write."""


def open_file(path: Path) -> BinaryIO:
    """A file for reading, for whatever a person names: anything that may have no end or never begin is refused.

    Raises: IsADirectoryError for a folder, OSError for a pipe, a device or a socket, each saying what it is; and what
    `open` raises.
    """
    # without O_NONBLOCK, opening a pipe waits for a writer
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        kind = stat.S_IFMT(os.fstat(handle).st_mode)
        if kind == stat.S_IFDIR:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if kind in KINDS:
            raise OSError(errno.EINVAL, f"it is {KINDS[kind]}, and no file", str(path))
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_file(path: Path, *, at_most: int) -> bytes:
    """The content of a file that is opened as `open_file` does.

    at_most: bytes that are read; a larger file is an error.

    Raises: OSError as `open_file` does, and for a file that is too large.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(at_most + 1) if size <= at_most else b""
    if size > at_most or len(content) > at_most:
        raise OSError(errno.EFBIG, f"it has more than {at_most:,} bytes", str(path))
    return content


def check_file(path: Path) -> None:
    """For libraries that open files by themselves. Raises: OSError as `open_file` does."""
    open_file(path).close()


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`; a reader sees the old file or the new one, never a part."""
    data = content.encode() if isinstance(content, str) else content
    write_with(path, lambda temporary: temporary.write_bytes(data))


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file under a temporary name, then give it the name `path`.

    For libraries that insist on writing files themselves; the temporary name keeps the suffix, from which some of them
    choose the format. The temporary file is removed when `write` fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{PART}{path.suffix}")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "nt":  # Windows opens no folders
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_parts(folder: Path) -> None:
    """Remove the temporary files under `folder` that a killed process left behind."""
    for path in folder.rglob(f".*{PART}*"):
        path.unlink(missing_ok=True)
