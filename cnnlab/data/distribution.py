"""How a public data set is distributed: the files that its maker hands out, checked, and fetched where they are absent.

torchvision does the fetching and unpacking, and compares checksums; here is decided what is wrong with a copy, and said
what to put where. An interrupted download leaves at most files with wrong checksums, which the next try replaces.
"""

import hashlib
import http.client
import lzma
import re
import socket
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.error import URLError

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.data.dataset import DataPlace

PATIENCE = 30.0
"""Seconds without an answer from the network, after which a download has failed."""

SHOWN = 3
"""Faults that a message lists; it counts the others."""

# what urllib, tarfile and gzip raise for a bad network, disk or archive; RuntimeError is torchvision's for a checksum
_FETCH_FAILURES = (
    OSError,
    RuntimeError,
    EOFError,
    http.client.HTTPException,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
)

Opened = TypeVar("Opened")


@dataclass(frozen=True)
class Download:
    """A file that is handed out: where it is found, where it belongs (a path below the root) and its MD5 checksum."""

    url: str
    path: str
    md5: str


@dataclass(frozen=True)
class Member:
    """A file that is read: its path below the root, with the checksum or the size in bytes by which it is known.

    `packed` is the gzip file that it comes from: once that is known to be good, its trailer has the checksum.
    """

    path: str
    md5: str | None = None
    size: int | None = None
    packed: Download | None = None


@dataclass(frozen=True)
class Distribution:
    """The files of one data set. `checked`: torchvision compares the checksums of `members` whenever it opens them."""

    name: str
    downloads: tuple[Download, ...]
    members: tuple[Member, ...]
    checked: bool = True

    def faults(self, root: Path) -> dict[str, str]:
        """What is wrong with each member that is there, and 'is missing' for the others."""
        found = {member.path: _fault(member, root) for member in self.members}
        return {path: fault for path, fault in found.items() if fault}

    def is_packed_in(self, root: Path) -> bool:
        """Whether all that is handed out lies there, ready to be unpacked without a network."""
        return all((root / d.path).is_file() and _md5(root / d.path) == d.md5 for d in self.downloads)

    def way_out(self, root: Path) -> tuple[str, ...]:
        """What to put where, line by line."""
        listed = (f"  {d.url} (md5 {d.md5})" for d in self.downloads)
        folder, content = ((root / files[0].path).parent for files in (self.downloads, self.members))
        inside = ", ".join(sorted(Path(m.path).name for m in self.members))
        packed = {d.path for d in self.downloads} != {m.path for m in self.members}
        unpacked = f"or what is inside ({inside}) into {content}, " if packed else ""
        return f"Put into {folder}", *listed, f"{unpacked}or set CNNLAB_DATA to the folder that holds it."


def open_distribution(distribution: Distribution, place: DataPlace, open_with: Callable[[bool], Opened]) -> Opened:
    """What `open_with(download)` gives, torchvision's constructor: from the copy in `place.root`, or else downloaded.

    Raises: RequestError when there is no copy and downloads are off; WorkError when the copy is damaged and may not be
    replaced, or when the download fails. Both say what to put where.
    """
    root = place.root
    faults = {} if distribution.checked else distribution.faults(root)
    if not faults:
        try:
            return open_with(False)
        except RuntimeError as error:  # torchvision's "not found or corrupted": find out which
            faults = distribution.faults(root)
            if not faults:
                raise WorkError(f"{distribution.name} in {root} cannot be read: {_reason(error)}") from None
        except OSError as error:
            raise WorkError(f"{distribution.name} in {root} cannot be read: {_reason(error)}") from None
    missing = all(fault == "is missing" for fault in faults.values()) and len(faults) == len(distribution.members)
    listed = [f"{path} {fault}" for path, fault in faults.items()]
    details = "; ".join(listed[:SHOWN] + ([f"and {len(listed) - SHOWN} files more"] if len(listed) > SHOWN else []))
    state = f"is not in {root}" if missing else f"in {root} is damaged: {details}"
    if not place.download and not distribution.is_packed_in(root):
        kind = RequestError if missing else WorkError
        first, *more = distribution.way_out(root)
        raise kind(f"{distribution.name} {state}; downloads are off. {first}", *more)
    # what torchvision compares, it also replaces; anything else it takes for good as long as it is there
    damaged = () if distribution.checked else [root / path for path in faults if (root / path).is_file()]
    try:
        with _set_aside(damaged), _patience():
            return open_with(True)
    except _FETCH_FAILURES as error:
        first, *more = distribution.way_out(root)
        message = f"{distribution.name} {state}; the download failed: {_reason(error)}. {first}"
        raise WorkError(message, *more) from None


@contextmanager
def _set_aside(paths: Iterable[Path]) -> Iterator[None]:
    """Move files out of the way; they are deleted in the end, or put back when there is an error."""
    moved: list[tuple[Path, Path]] = []
    try:
        for path in paths:
            moved.append((path, path.rename(path.with_name(path.name + ".damaged"))))
        yield
    except BaseException:
        for path, aside in moved:
            aside.replace(path)
        raise
    for _, aside in moved:
        aside.unlink()


def _fault(member: Member, root: Path) -> str | None:
    path = root / member.path
    if not path.is_file():
        return "is missing"
    try:
        size = path.stat().st_size
        if member.size is not None and size != member.size:
            return f"has {size:,} bytes, expected {member.size:,}"
        if member.md5 is not None and (found := _md5(path)) != member.md5:
            return f"has {size:,} bytes with the md5 {found}, expected {member.md5}"
        if member.packed is not None and (root / member.packed.path).is_file():
            archive = root / member.packed.path
            if _md5(archive) == member.packed.md5 and _crc(path) != _crc_of_gzip(archive):
                return f"differs from the content of {archive.name} beside it"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            crc = zlib.crc32(chunk, crc)
    return crc


def _crc_of_gzip(path: Path) -> int:
    """The checksum in a gzip file's trailer. Source: RFC 1952, section 2.3.1."""
    with path.open("rb") as file:
        file.seek(-8, 2)
        return int.from_bytes(file.read(4), "little")


def _reason(error: BaseException) -> str:
    """One line for an error of another library."""
    if isinstance(error, URLError) and not isinstance(error.reason, str):
        return _reason(error.reason)
    if isinstance(error, TimeoutError):
        return f"no answer for {PATIENCE:.0f} seconds"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f" ({error.filename})" if error.filename else "")
    if "File not found or corrupted" in str(error):  # torchvision, of what it has just downloaded
        return "what came has a wrong checksum"
    if found := re.findall(r"urlopen error (?:\[Errno [-\d]+\] )?([^>]*)", str(error)):  # each of MNIST's mirrors
        return ", ".join(dict.fromkeys(found))
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


@contextmanager
def _patience() -> Iterator[None]:
    """torchvision's downloads have no time limit of their own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
