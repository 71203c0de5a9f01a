"""Where images lie: in memory, or, where they are larger, in a file on disk that is mapped into memory.

Of a mapped file the operating system keeps in memory what is used, and no more than there is room for: a tensor of
100 GB is read like any other, with a few megabytes of the process's own. Reading what was not used of late costs a read
from disk.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from math import prod
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.core.memory import gigabytes, machine_memory
from cnnlab.core.reading import named_in_utf8

COPIED = 64_000_000
"""Bytes that are copied at a time from one file to another."""

SMALL = 256_000_000
"""Bytes of images that are held in memory wherever those lie that they are taken from."""

SPARE = 500_000_000
"""Bytes of a disk that are left for others."""


def fits_into_memory(count: int, shape: Shape) -> bool:
    """Whether the machine has memory for `count` images of `shape` (channels, height, width) twice, a byte a value.

    Twice, as a part is copied when a data set is split. True where the operating system does not tell.
    """
    available = machine_memory()
    return available is None or 2 * count * prod(shape) <= available


def on_disk(count: int, shape: Shape, folders: Sequence[Path]) -> UInt8[Tensor, "n c h w"]:
    """A place for images on disk, in the first of `folders` that has room: black until something else is written.

    The file has no name any more when this returns: its room is free again when nothing refers to the tensor, even if
    the process is killed.

    Arguments:
        count: images.
        shape: (channels, height, width) of each, in pixels.
        folders: which may be made.

    Raises:
        RequestError: where none of them can be written to and has room, with what is needed.
    """
    needed, problems = count * prod(shape), []
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
            if free < needed + SPARE:
                problems.append(f"{folder} has {gigabytes(free)} free")
                continue
            return _mapped(needed, folder).view(count, *shape)
        except OSError as error:
            problems.append(f"{folder}: {error.strerror or error}")
    raise RequestError(
        f"{count:,} images of {shape[1]} × {shape[2]} pixels take {gigabytes(needed)} on disk, for which there is no "
        f"room ({'; '.join(problems)}); set CNNLAB_DATA to a folder that has room, or choose a smaller 'size'"
    )


def _mapped(size: int, folder: Path) -> UInt8[Tensor, "bytes"]:
    """`size` zeros in a file of `folder`. Its room is taken at once: a full disk would end the process later."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".images-")
    path = Path(name)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, max(1, size))
        else:
            os.truncate(handle, max(1, size))
        with named_in_utf8(path) as readable:
            return torch.from_file(str(readable), shared=True, size=size, dtype=torch.uint8)
    finally:
        os.close(handle)
        with suppress(OSError):  # where a mapped file cannot be removed, a later process removes it
            path.unlink()


def gathered(
    images: UInt8[Tensor, "n c h w"], indices: Int64[Tensor, "k"], folders: Sequence[Path]
) -> UInt8[Tensor, "k c h w"]:
    """`images[indices]`: on disk where `folders` are given and it is more than `SMALL`.

    Raises:
        RequestError: where there is no room on disk.
    """
    shape: Shape = (images.shape[1], images.shape[2], images.shape[3])
    if not folders or len(indices) * prod(shape) <= SMALL:
        return images[indices]
    target = on_disk(len(indices), shape, folders)
    rows = max(1, COPIED // prod(shape))
    for begin in range(0, len(indices), rows):
        torch.index_select(images, 0, indices[begin : begin + rows], out=target[begin : begin + rows])
    return target
