"""Files appear whole or not at all: a temporary name in the same folder, fsync, rename."""

import os
from collections.abc import Callable
from pathlib import Path

PART = ".part"
"""In the name of every temporary file, so that what a killed process left behind can be found."""


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
