"""Decoded pictures, kept on disk so that the next start need not decode them again.

One file per data set, part and options; its key says which files it was made from, so a changed one is made anew. It
is a safetensors file: reading it runs no code. A cache that cannot be written costs time and nothing else.
"""

import json
import os
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


@dataclass(frozen=True)
class Decoded:
    """Pictures of one size; `kept`: their places in the list of files; `skipped`: a sentence for each other file."""

    images: UInt8[Tensor, "n c s s"]
    kept: Int64[Tensor, "n"]
    skipped: tuple[str, ...]


def digest(*parts: object) -> str:
    """A short name for what `parts` say."""
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def load(name: str, key: str, folders: Sequence[Path]) -> Decoded | None:
    """What was stored as `name` with the same `key` in one of `folders`; None when it is absent, stale or damaged."""
    for folder in folders:
        path = folder / f"{name}.safetensors"
        try:
            with safe_open(path, framework="pt") as file:
                facts = file.metadata() or {}
                if facts.get("key") != key:
                    continue
                images, kept = file.get_tensor("images"), file.get_tensor("kept")
                skipped = tuple(json.loads(facts["skipped"]))
                if facts.get("crc") == str(_crc(images, kept)):
                    return Decoded(images, kept, skipped)
        except (OSError, SafetensorError, KeyError, ValueError):  # absent or damaged: the caller decodes again
            continue
    return None


def store(decoded: Decoded, name: str, key: str, folders: Sequence[Path]) -> None:
    """Write `decoded` into the first of `folders` that can be written to: whole, or not at all."""
    tensors = {"images": decoded.images, "kept": decoded.kept}
    facts = {"key": key, "crc": str(_crc(*tensors.values())), "skipped": json.dumps(decoded.skipped)}
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=folder, prefix=f".{name}-")
        except OSError:
            continue
        try:
            save_file(tensors, draft, metadata=facts)
            os.fsync(handle)
            os.replace(draft, folder / f"{name}.safetensors")
            return
        except (OSError, SafetensorError):  # a full disk
            continue
        finally:
            os.close(handle)
            Path(draft).unlink(missing_ok=True)


def _crc(images: Tensor, kept: Tensor) -> int:
    """A checksum: safetensors notices a file that is cut short, but not one whose bytes changed."""
    start = zlib.crc32(repr((images.dtype, images.shape, kept.dtype, kept.shape)).encode())
    for tensor in (images, kept):
        start = zlib.crc32(tensor.contiguous().flatten().view(torch.uint8).numpy().data, start)
    return start
