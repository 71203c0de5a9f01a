"""Whatever a person names is read only where it is a file: a pipe or a device may have no end, or never begin."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cnnlab.core.errors import RequestError

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
    if "\0" in str(path):  # Python has a ValueError for it
        raise OSError(errno.EINVAL, "it has a character that no name of a file can have", str(path))
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


@contextmanager
def refusals_told(name: object, *, missing: str = "no such file", expected: str = "") -> Iterator[None]:
    """What the system refuses while a file is read becomes one sentence that begins with `name`.

    missing: what is said where there is none. expected: what should be there, such as `an image`, where a folder is.

    Raises: RequestError.
    """
    try:
        yield
    except FileNotFoundError:
        raise RequestError(f"{name}: {missing}") from None
    except OSError as error:
        if expected and isinstance(error, IsADirectoryError):
            raise RequestError(f"{name}: is a folder, expected {expected}") from None
        raise RequestError(f"{name}: cannot be read: {error.strerror}") from None


@contextmanager
def named_in_utf8(path: Path) -> Iterator[Path]:
    """`path` under a name that is UTF-8, while inside: some libraries take no other, and Linux has others.

    Raises: OSError where its folder cannot be opened, or it, where its own name is the one that is no UTF-8.
    """
    if _is_utf8(path):
        yield path
        return
    beside = _is_utf8(path.name)
    handle = os.open(path.parent if beside else path, os.O_RDONLY)
    try:
        yield Path(f"/dev/fd/{handle}", *([path.name] if beside else []))
    finally:
        os.close(handle)


def _is_utf8(path: Path | str) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def check_readable(path: Path, what: str) -> None:
    """Try `path` for libraries that open files by themselves.

    Raises: RequestError where there is no `what`, or it cannot be read.
    """
    with refusals_told(path, missing=f"no such {what}"):
        open_file(path).close()
