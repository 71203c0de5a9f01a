"""Files are written whole or not at all, where their names say; a failure names the file.

All that cnnlab writes goes through here. A run is its own folder: it may come from a stranger, so below it nothing is
written, appended, made or removed through a link, whatever the link is called. The run's own folder may be a link, to a
larger disk say: whoever named it chose that.
"""

import errno
import json
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnlab.core.errors import RequestError, WriteError
from cnnlab.core.reading import KINDS

PART = ".part"
"""The ending of every temporary file's name, so that what a killed process left behind can be found."""

RUN_MARK = "run.json"
"""A folder that holds a file of this name is a run."""

SECONDS_OF_A_PART = 60.0
"""A temporary file that is older belongs to nobody, even where a process has the number in its name again."""

LONGEST_STEM = 100

LONGEST_LINE = 1_000_000
"""Bytes at the end of a file among which its last line's end is looked for."""

WAYS_OUT = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room in your quota",
    errno.EFBIG: "raise the limit on a file's size (ulimit -f)",
    errno.EROFS: "choose a folder on a disk that can be written to",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
}


def write_whole(path: Path, content: bytes | str | memoryview) -> None:
    """Write `content` to `path`; a reader sees the old file or the new one, never a part.

    A letter that UTF-8 cannot say (a file name may have some) is written as an escape, which JSON reads back.

    Raises: RequestError where a link leads out of the run; WriteError where the disk or its rules refuse.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    make_folder(path.parent)
    _refuse_devices(path)
    stem = path.stem[:LONGEST_STEM]
    temporary = path.with_name(f".{stem}.{os.getpid()}.{secrets.token_hex(4)}{PART}{path.suffix}")
    with failures_named(path):
        try:
            with temporary.open("xb") as file:  # a new file: one that lies there, or a link of its name, is not opened
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        if os.name != "nt":  # Windows opens no folders
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _refuse_devices(path: Path) -> None:
    """Refuse a `path` that leads to a pipe, a device or a socket: a file put in its place would take it from all.

    Raises: WriteError.
    """
    with failures_named(path):
        kind = KINDS.get(stat.S_IFMT(path.stat().st_mode)) if path.exists() else None
    if kind is not None:
        raise WriteError(path, f"is {kind}, and a file is needed there", "")


def append_line(path: Path, line: str) -> None:
    """Add a line of JSON to a file, on the disk before this returns; a line that does not fit is taken back.

    What a killed process left of its last line gives way, as readers leave it out. A hard link to the file keeps what
    it had: it may be a backup, or a file elsewhere.

    Raises: as `write_whole`.
    """
    refuse_links(path)
    data = (line + "\n").encode("utf-8", "backslashreplace")
    with failures_named(path):
        make_folder(path.parent)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)
        try:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                raise RequestError(f"{path}: is no regular file; move it away")
            shared = before.st_nlink > 1
            begun = _begun_line(handle, before.st_size)
            kept = before.st_size - (0 if _is_json(begun) else len(begun))
            data = (b"\n" if begun and _is_json(begun) else b"") + data
            if not shared:
                if kept < before.st_size:
                    os.ftruncate(handle, kept)
                _append(handle, data, kept)
        finally:
            os.close(handle)
    if shared:
        write_whole(path, path.read_bytes()[:kept] + data)


def _begun_line(handle: int, size: int) -> bytes:
    """What stands after the last line's end."""
    if not hasattr(os, "pread"):  # Windows
        return b""
    tail = os.pread(handle, LONGEST_LINE, max(0, size - LONGEST_LINE))
    return tail[tail.rfind(b"\n") + 1 :]


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _append(handle: int, data: bytes, size: int) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise


def make_folder(path: Path) -> None:
    """Make `path` and what it lies in, where it is not there yet.

    Raises: as `write_whole`.
    """
    refuse_links(path)
    with failures_named(path):
        path.mkdir(parents=True, exist_ok=True)


def place_whole(made: Path, path: Path) -> None:
    """Put a file or a folder that was made elsewhere at `path`; a reader sees all of it or nothing.

    Arguments:
        made: what is to be copied; it stays.
        path: a file, which is replaced, or a folder: of one that is there, the files of the same names are replaced,
            each whole, and all others stay.

    Raises: as `write_whole`.
    """
    if made.is_file():
        write_whole(path, made.read_bytes())
        return
    if path.is_dir():
        for file in made.iterdir():
            write_whole(path / file.name, file.read_bytes())
        return
    make_folder(path.parent)
    part = path.with_name(f".{path.name[:LONGEST_STEM]}.{os.getpid()}.{secrets.token_hex(4)}{PART}")
    try:
        with failures_named(path):
            for file in made.iterdir():
                write_whole(part / file.name, file.read_bytes())
            os.rename(part, path)
    except WriteError as error:  # of a name that nobody has chosen, and that is gone by the time it is read
        at = Path(str(error.place))
        raise WriteError(
            path / at.relative_to(part) if at.is_relative_to(part) else at, error.reason, error.way_out
        ) from error
    finally:
        remove_folder(part)


def remove_folder(path: Path) -> None:
    """Remove `path` with all that is in it, where it is there.

    Raises: as `write_whole`.
    """
    refuse_links(path)
    with failures_named(path):
        if path.exists():
            shutil.rmtree(path)


def remove_file(path: Path) -> None:
    """Remove a file, or a link to one; what the link leads to stays.

    Raises: as `write_whole`.
    """
    refuse_links(path.parent)
    with failures_named(path):
        path.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove the temporary files under `folder` that a killed process left behind; those of a living one stay."""
    for parent, _, names in os.walk(folder):
        for name in names:
            found = re.search(rf"^\..*?(?:\.(\d+)(?:\.[0-9a-f]{{8}})?)?{re.escape(PART)}(\.[^.]*)?$", name)
            if found and _is_abandoned(Path(parent, name), int(found[1] or 0)):
                remove_file(Path(parent, name))


def _is_abandoned(part: Path, process: int) -> bool:
    try:
        if time.time() - part.lstat().st_mtime > SECONDS_OF_A_PART:
            return True
    except FileNotFoundError:  # finished in the meantime
        return False
    return not is_alive(process)


def is_alive(process: int) -> bool:
    """Whether another process of that number runs on this machine; True where that cannot be known."""
    if os.name == "nt":  # there, the signal 0 ends a process
        return True
    if process <= 0 or process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        pass
    return True


def refuse_links(path: Path) -> None:
    """Refuse a `path` that a link stands on, from the run's folder down to `path` itself.

    Of several folders that hold a run.json the outermost counts: a link could lead into another run.

    Raises: RequestError with the link, where it leads, and what to do.
    """
    run: Path | None = None
    at = Path(path.absolute().anchor)
    for part in path.absolute().parts[1:]:
        at /= part
        if run is None:
            run = at if os.path.lexists(at / RUN_MARK) else None
        elif at.is_symlink() or _is_junction(at):
            raise RequestError(
                f"{at}: is a link to {os.readlink(at)}, and a run is its own folder: nothing is written through a "
                f"link. Put what it leads to in its place; the run's whole folder {run} may be a link"
            )


def _is_junction(path: Path) -> bool:
    """Windows' own kind of link to a folder; Python knows it from 3.12 on."""
    junction = getattr(os.path, "isjunction", None)
    return bool(junction and junction(path))


@contextmanager
def failures_named(path: Path) -> Iterator[None]:
    """What the system refuses while `path` is written becomes one sentence with that name.

    Raises: WriteError for a full disk, a quota, a file system that is read only, missing rights and the like.
    """
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        at = Path(error.filename or path)
        # the system names what was to be made, which may lie below the file that is in the way
        at = next((one for one in (*reversed(at.parents), at) if os.path.lexists(one) and not one.is_dir()), at)
        raise WriteError(at, "is a file, and a folder is needed there", "move it away") from error
    except IsADirectoryError as error:
        at = Path(error.filename2 or error.filename or path)
        raise WriteError(at, "is a folder, and a file is needed there", "move it away") from error
    except OSError as error:
        way_out = f"{WAYS_OUT.get(error.errno or 0, 'put that right')} and repeat the command"
        raise WriteError(path, f"cannot be written: {error.strerror or error}", way_out) from error
