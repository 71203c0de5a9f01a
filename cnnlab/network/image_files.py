"""Images that a person names: files, folders, patterns and standard input."""

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.data.decoding import MAX_BYTES, SUFFIXES, pillow_image, read_image
from cnnlab.data.listing import files_below

LONGEST_LIST = 100_000_000
"""Bytes of a list of paths on standard input: about a million of them."""


STANDARD_INPUT = "-"


MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
"""How files of the common image formats begin: PNG, JPEG, GIF, BMP, WebP, TIFF (both byte orders)."""


@runtime_checkable
class ReadsBytes(Protocol):
    """A file opened for bytes, or standard input's buffer."""

    def read(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes; -1: all of them."""


@dataclass(frozen=True)
class Unreadable:
    """An image that could not be read."""

    path: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        """An element of the list that `cnnlab predict --json` prints."""
        return {"path": self.path, "label": None, "probability": None, "top": [], "error": self.reason}


@dataclass(frozen=True)
class Source:
    """An image to come: its name, and its bytes or itself where it did not come as a file."""

    name: str
    content: bytes | None = None
    image: Image.Image | None = field(default=None, compare=False)
    fault: str = ""
    """Why there is none, where the name leads to nothing."""

    def read(self, channels: Literal[1, 3]) -> UInt8[Tensor, "channels h w"]:
        """The image at its own size.

        Raises: RequestError where there is none or it cannot be read; the message begins with the name.
        """
        if self.fault:
            raise RequestError(f"{self.name}: {self.fault}")
        if self.image is not None:
            return pillow_image(self.image, channels=channels, name=self.name)
        return read_image(Path(self.name) if self.content is None else self.content, channels=channels, name=self.name)


def find_images(paths: Sequence[str], standard_input: ReadsBytes) -> list[Source]:
    """The images that `paths` name: files, folders (searched through), globs, and `-` for standard input.

    Standard input holds one image, or a list of paths, one a line. A path that leads to nothing is a source with a
    fault, so that the others are done.

    Raises: RequestError where none of them leads to an image.
    """
    found: list[Source] = []
    for path in paths:
        if path == STANDARD_INPUT:
            content = standard_input.read(LONGEST_LIST + 1)
            if content.startswith(MAGIC):
                content += standard_input.read(MAX_BYTES + 1 - len(content))
                much = len(content) > MAX_BYTES
                found.append(Source("<stdin>", content, fault=f"it has more than {MAX_BYTES:,} bytes" if much else ""))
            elif len(content) > LONGEST_LIST:
                raise RequestError(
                    f"standard input is no image, and as a list of paths longer than {LONGEST_LIST:,} bytes"
                )
            else:
                for line in content.split(b"\n"):
                    name = os.fsdecode(line)  # a name need not be UTF-8
                    if name.strip():
                        found += sources_at(name if os.path.lexists(name) else name.strip())
        else:
            found += sources_at(path)
    if not found:
        raise RequestError("no images: standard input named none")
    if all(source.fault for source in found):
        raise RequestError(*(f"{source.name}: {source.fault}" for source in found))
    return found


def sources_at(path: str) -> list[Source]:
    """What one path names: a file, those in a folder, or those that a pattern finds; else one with a fault."""
    if not path:  # of an empty variable in a script; to Python it is the folder that one is in
        return [Source("''", fault="names no image; the folder here is .")]
    if os.path.isdir(path):  # the functions of pathlib raise where a name is too long
        inside = sorted(files_below(Path(path))[0])
        fault = f"no images in this folder ({', '.join(SUFFIXES)})"
        return [Source(str(p)) for p in inside] or [Source(path, fault=fault)]
    if os.path.exists(path):
        return [Source(path)]
    files = [Source(match) for match in _matches(path) if os.path.isfile(match)]
    return files or [Source(path, fault="no such image, folder or pattern")]


def _matches(pattern: str) -> list[str]:
    """What a pattern finds, in order. Brackets are a set of letters and, where something is called so, themselves."""
    found = {""}
    for part in re.split(r"(?<=/)", pattern):
        forms = dict.fromkeys((part, part.replace("[", "[[]")))
        # once each: by several '**' the same is found in more ways than there are files
        found = {one for base in found for form in forms for one in glob.glob(glob.escape(base) + form, recursive=True)}
    return sorted(found)
