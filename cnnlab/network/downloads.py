"""Files of weights in torch's cache: found there, or downloaded into it, and what is said where they can be neither."""

import hashlib
import sys
from dataclasses import dataclass
from http.client import HTTPException
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse

import torch

from cnnlab.core.errors import RequestError, WorkError, WriteError, first_line
from cnnlab.core.files import WAYS_OUT
from cnnlab.core.reading import open_file
from cnnlab.network.weights.formats import format_of


@dataclass(frozen=True)
class Download:
    """A file of weights on a server."""

    url: str
    name: str
    """Of the file in torch's cache."""
    digits: str = ""
    """The first of its SHA-256; '' where they are not known."""

    @staticmethod
    def of(url: str) -> "Download":
        """The file at `url`, by the last part of that, which may end with the first digits of its SHA-256.

        Example:
            >>> Download.of("https://example.org/models/net-0123abcd.pth").digits
            '0123abcd'
        """
        path = PurePosixPath(urlparse(url).path)
        digits = path.stem.rpartition("-")[2] if "-" in path.stem else ""
        known = len(digits) >= 8 and set(digits) <= set("0123456789abcdef")
        return Download(url, path.name, digits if known else "")

    @property
    def path(self) -> Path:
        """Where it lies in torch's cache, once it is there."""
        return Path(torch.hub.get_dir()) / "checkpoints" / self.name


def fetched(network: str, file: Download) -> Path:
    """A file in torch's cache, downloaded where it is not there yet.

    Arguments:
        network: whose weights they are, for the error.
        file: whose beginning of a SHA-256, where it is known, what lies there must have.

    Returns:
        Its path.

    Raises:
        RequestError: where another file, or none, lies in its place.
        WorkError: where it cannot be downloaded, with what to put where.
    """
    path = file.path
    if path.is_file():
        _check_digits(network, path, file)
        return path
    if path.exists():
        raise RequestError(f"{network}: {path} is no file; move it away, so that the weights can be put there")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(file.url, str(path), file.digits or None, progress=sys.stderr.isatty())
    except (OSError, HTTPException, RuntimeError, ValueError) as error:
        raise _failed(network, file, error) from None
    if not file.digits:
        _check_format(network, path, file)
    return path


def _failed(network: str, file: Download, error: Exception) -> WorkError:
    """What is said of a download that failed."""
    path = file.path
    if isinstance(error, OSError) and not isinstance(error, URLError) and error.errno in WAYS_OUT:
        return WriteError(path, f"the weights of {network}: {error.strerror}", WAYS_OUT[error.errno])
    if isinstance(error, RuntimeError):
        reason = f"what came is another file: its SHA-256 does not begin with {file.digits}"
    elif isinstance(error, HTTPError):
        reason = f"the server says {error.code} {error.reason}".strip()
    elif isinstance(error, URLError):
        reason = first_line(error.reason) if isinstance(error.reason, Exception) else str(error.reason)
    else:
        reason = first_line(error)
    return WorkError(
        f"{network}: its weights are not on this machine and cannot be downloaded ({reason}); put the file of "
        f"{file.url} at {path}, or give its path in place of their name"
    )


def _check_digits(network: str, path: Path, file: Download) -> None:
    """Raises: RequestError for a file with another SHA-256 than its name says."""
    if not file.digits:
        return
    try:
        with open_file(path) as content:
            found = hashlib.file_digest(cast(BufferedReader, content), "sha256").hexdigest()
    except OSError as error:
        raise RequestError(f"{network}: {path}: cannot be read: {error.strerror}") from None
    if not found.startswith(file.digits):
        raise RequestError(
            f"{network}: {path} is damaged or another file: its SHA-256 begins with {found[: len(file.digits)]}, not "
            f"with {file.digits}; remove it, and it is downloaded again from {file.url}"
        )


def _check_format(network: str, path: Path, file: Download) -> None:
    """Raises: WorkError for what is no file of weights, which is removed: a page in its place, say."""
    try:
        format_of(path)
    except RequestError as error:
        path.unlink()
        said = str(error).removeprefix(f"{path}: ")
        raise WorkError(f"{network}: what {file.url} gave {said}; put the file of that address at {path}") from None
