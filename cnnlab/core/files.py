"""Files appear whole or not at all: a temporary name in the same folder, fsync, rename."""

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`; a reader sees the old file or the new one, never a part."""
    data = content.encode() if isinstance(content, str) else content
    write_with(path, lambda temporary: _write(temporary, data))


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file under a temporary name, then give it the name `path`.

    For libraries that insist on writing files themselves. The temporary file is removed when `write` fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
