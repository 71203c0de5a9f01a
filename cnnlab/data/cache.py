"""Decoded images, kept on disk so that the next start need not decode them again.

One file per data set, part and options; its key says which files it was made from, so a changed one is made anew. It
is a safetensors file: reading it runs no code. It is checked like any other input: only a file that nobody else could
have written, with what is expected of it, is used. A cache that cannot be written costs time and nothing else.
"""

import json
import os
import stat
import tempfile
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from cnnlab.core.arithmetic import Shape
from cnnlab.core.reading import named_in_utf8

OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
ABANDONED = 3600.0
"""Seconds after which a draft is taken for one whose writer was killed."""


@dataclass(frozen=True)
class Decoded:
    """Images of one size; `kept`: their places in the list of files; `skipped`: a sentence for each other file."""

    images: UInt8[Tensor, "n c h w"]
    kept: Int64[Tensor, "n"]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What a file of the cache must be."""

    name: str
    """The file's name, which says which data set, part and options."""
    key: str
    """A hash of which files these are, and of what decodes them."""
    count: int
    """Files, those that cannot be read among them."""
    shape: Shape
    """(channels, height, width) of each image, in pixels."""


class _RefusedError(Exception):
    """A file of the cache that is not used, with the reason."""


def digest(*parts: object) -> str:
    """A short name for what `parts` say."""
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def load(wanted: Wanted, folders: Sequence[Path]) -> tuple[Decoded | None, tuple[str, ...]]:
    """What was stored in one of `folders`, None where there is nothing of use; and why files there were refused.

    A file that was made from other images is no fault: it is of the past.
    """
    refused = []
    for folder in folders:
        path = folder / f"{wanted.name}.safetensors"
        try:
            _check_owner(path)
            _check_owner(folder)
            decoded = _read(path, wanted)
        except FileNotFoundError:
            continue
        except _RefusedError as error:
            refused.append(f"{path}: not used: {error}")
        except (OSError, SafetensorError, KeyError, ValueError, RecursionError):
            refused.append(f"{path}: not used: it is damaged")
        else:
            if decoded is not None:
                return decoded, ()
    return None, tuple(refused)


def store(decoded: Decoded, wanted: Wanted, folders: Sequence[Path]) -> None:
    """Write `decoded` into the first of `folders` that can be written to, and by nobody else: whole, or not at all."""
    tensors = {"images": decoded.images, "kept": decoded.kept}
    skipped = json.dumps(decoded.skipped)
    facts = {"key": wanted.key, "skipped": skipped, "crc": _checksum(wanted.key, skipped, *tensors.values())}
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _close_to_others(folder)
            _check_owner(folder)
            _remove_abandoned(folder)
            handle, draft = tempfile.mkstemp(dir=folder, prefix=f".{wanted.name}-")
        except (OSError, _RefusedError):
            continue
        try:
            with named_in_utf8(Path(draft)) as name:
                save_file(tensors, name, metadata=facts)
            os.fsync(handle)
            os.replace(draft, folder / f"{wanted.name}.safetensors")
            return
        except (OSError, SafetensorError):  # a full disk
            continue
        finally:
            os.close(handle)
            Path(draft).unlink(missing_ok=True)


def _read(path: Path, wanted: Wanted) -> Decoded | None:
    """What is in a file; None where it was made from other images.

    Shapes are compared before anything is read: a header may promise more than fits into memory.
    """
    with named_in_utf8(path) as name, safe_open(name, framework="pt") as file:
        facts = file.metadata() or {}
        if facts.get("key") != wanted.key:
            return None
        skipped = json.loads(facts["skipped"])
        if not isinstance(skipped, list) or not all(isinstance(sentence, str) for sentence in skipped):
            raise _RefusedError("it names no list of images that cannot be read")
        count = wanted.count - len(skipped)
        _check_tensor(file, "images", "U8", [count, *wanted.shape])
        _check_tensor(file, "kept", "I64", [count])
        images, kept = file.get_tensor("images"), file.get_tensor("kept")
    if facts["crc"] != _checksum(wanted.key, facts["skipped"], images, kept):
        raise _RefusedError("its content is not what was written")
    if count and not (int(kept[0]) >= 0 and int(kept[-1]) < wanted.count and bool((kept.diff() > 0).all())):
        raise _RefusedError(f"it has images of files that are not among the {wanted.count:,}")
    return Decoded(images, kept, tuple(skipped))


def _check_tensor(file: Any, name: str, kind: str, shape: list[int]) -> None:
    found = file.get_slice(name)
    if (found.get_dtype(), list(found.get_shape())) != (kind, shape):
        raise _RefusedError(f"its {name} are {found.get_dtype()} of {found.get_shape()}, expected {kind} of {shape}")


def _check_owner(path: Path) -> None:
    """Refuse a file or folder into which others than this user (or the machine's administrator) can have written.

    Raises: _RefusedError where somebody else can have, or where it is a link or no file; FileNotFoundError.
    """
    status = path.lstat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(path.stat().st_mode)):
        raise _RefusedError("it is a link, or no file")
    if not hasattr(os, "getuid"):
        return
    status = path.stat()
    if status.st_uid not in (os.getuid(), 0):
        raise _RefusedError(f"{path} belongs to another user, who can have written anything")
    if status.st_mode & OTHERS_MAY_WRITE:
        raise _RefusedError(f"others may write to {path}; chmod go-w {path} if it is good")


def _close_to_others(folder: Path) -> None:
    """The cache's own folder may have been made by a process whose `umask` lets a group write."""
    status = folder.stat()
    if hasattr(os, "getuid") and status.st_uid == os.getuid() and status.st_mode & OTHERS_MAY_WRITE:
        folder.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS_MAY_WRITE)


def _remove_abandoned(folder: Path) -> None:
    """Drafts of processes that were killed while they wrote."""
    for draft in folder.glob(".*-*"):
        with suppress(OSError):  # another process is faster
            if draft.stat().st_mtime < time.time() - ABANDONED:
                draft.unlink()


def _checksum(key: str, skipped: str, images: Tensor, kept: Tensor) -> str:
    """safetensors notices a file that is cut short, but not one whose bytes changed.

    Against forgery no checksum helps that everybody can compute: the owner of the file is looked at, and whoever takes
    the images compares some with their files. So it is a quick one: 1 GB a second, five times the speed of BLAKE2.
    """
    sum_so_far = zlib.crc32(repr((key, skipped, images.dtype, images.shape, kept.dtype, kept.shape)).encode())
    for tensor in (images, kept):
        sum_so_far = zlib.crc32(tensor.contiguous().flatten().view(torch.uint8).numpy().data, sum_so_far)
    return str(sum_so_far)
