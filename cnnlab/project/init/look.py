"""Every image of a folder or table decoded once: its size and kind, a fingerprint, and a small copy to compare with."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import UInt8
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import DataPlace
from cnnlab.data.decoding import examine
from cnnlab.data.fitting import Fitting
from cnnlab.data.folder import Contents
from cnnlab.data.parallel import in_parallel

SMALL = 32
"""Side of the copies, in pixels."""

GREY = 12
"""Values of 255 by which the channels of an image without colour differ at most, as JPEG has them."""


@dataclass(frozen=True)
class Seen:
    """An image that can be read."""

    part: str
    label: str
    name: str
    """Relative to its part's folder, or as in the CSV."""
    path: Path
    height: int
    """Pixels, turned as its EXIF orientation says."""
    width: int
    mode: str
    """pillow's word for the kind of its pixels."""
    turned: bool
    """Whether its EXIF orientation turns or mirrors what is stored."""
    coloured: bool
    fingerprint: bytes
    """The same for the same pixels."""
    small: UInt8[Tensor, "3 side side"]
    """Stretched."""

    @property
    def ratio(self) -> float:
        """Width over height."""
        return self.width / self.height


@dataclass(frozen=True)
class Looked:
    """All images of all parts."""

    seen: tuple[Seen, ...]
    unreadable: tuple[str, ...]
    """A sentence for each file that cannot be read, with its name."""

    def of(self, *parts: str) -> list[Seen]:
        """Those of some parts."""
        return [one for one in self.seen if one.part in parts]


def look(contents: Contents, place: DataPlace) -> Looked:
    """Decode every image of every part; threads share the work.

    Arguments:
        contents: what the parts hold.
        place: how long reading is followed.

    Returns:
        One entry for each image, in the order of the listings, and a sentence for each that cannot be read.
    """
    files = [
        (part, label, name, path)
        for part, listing in contents.listings.items()
        for label, name, path in zip(listing.labels, listing.names, listing.paths, strict=True)
    ]

    def work(file: tuple[str, str, str, Path]) -> Seen | str:
        try:
            return _seen(*file)
        except RequestError as error:
            return str(error)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pillow's remarks on odd metadata
        found = list(place.track(in_parallel(work, files), "looking at images", len(files)))
    seen = tuple(one for one in found if isinstance(one, Seen))
    return Looked(seen, tuple(one for one in found if isinstance(one, str)))


def small_copies(seen: Sequence[Seen]) -> UInt8[Tensor, "n 3 side side"]:
    """The copies of some images, one after the other."""
    return torch.stack([one.small for one in seen]) if seen else torch.empty(0, 3, SMALL, SMALL, dtype=torch.uint8)


def channels_of(seen: Sequence[Seen]) -> Literal[1, 3]:
    """How many channels say all that the images say."""
    return 3 if any(one.coloured for one in seen) else 1


def _seen(part: str, label: str, name: str, path: Path) -> Seen:
    found = examine(path)
    pixels = found.pixels
    height, width = pixels.shape[1:]
    shape = str(tuple(pixels.shape)).encode()
    small = Fitting((SMALL, SMALL), "stretch")(pixels)
    spread = small.int().amax(0) - small.int().amin(0)
    return Seen(
        part,
        label,
        name,
        path,
        height,
        width,
        found.mode,
        found.turned,
        bool((spread > GREY).any()),
        blake2b(shape + pixels.numpy().tobytes(), digest_size=16).digest(),
        small,
    )
