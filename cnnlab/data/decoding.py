"""From an image file of any kind to bytes: [channels, height, width], 0 to 255.

Used alike by the `folder` data set and by predictions on single files: a network sees its images as in training. Only
formats whose decoders are plain code are read: pillow would start other programs for some (Ghostscript for EPS).
"""

import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import Condition
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.reading import read_file, refusals_told

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM", "JPEG2000", "TGA", "ICO")
SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".apng", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".mpo", ".tga", ".ico"),
)
"""How the names of images end, in lower case."""

MAX_BYTES = 1_000_000_000
"""Larger files are refused: those of `MAX_PIXELS` of 16 bits in four channels have 640 million."""

MAX_PIXELS = 80_000_000
"""Larger images are refused: a file of some kilobytes can claim to have thousands of millions of pixels."""

IN_FLIGHT = 100_000_000
"""Pixels that all threads together decode at a time: while it is decoded an image takes ten bytes a pixel."""

# pillow's warning of too many pixels becomes an error here
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

# what pillow's decoders raise for files that are damaged, found by feeding them such files
_DECODER_FAILURES = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


def read_image(
    source: Path | bytes, *, channels: Literal[1, 3] = 3, name: str | None = None
) -> UInt8[Tensor, "channels h w"]:
    """The image in a file, or in the bytes of one, turned as its EXIF orientation says, in grey or in RGB.

    Of an animation the first frame; transparent parts on white; 16 bits rounded to 8. `name` is what errors call it.
    In memory the channels of a pixel may lie together (`contiguous()` lays them apart).
    Raises: RequestError when it cannot be read, with the reason.
    """
    return examine(source, channels=channels, name=name).pixels


@dataclass(frozen=True)
class Examined:
    """An image, and how its file has it."""

    pixels: UInt8[Tensor, "channels h w"]
    """As `read_image` gives them."""
    mode: str
    """pillow's word for the kind of the file's pixels, such as RGB, L (grey), P (palette) or CMYK."""
    turned: bool
    """Whether the file's EXIF orientation turns or mirrors what is stored."""


def examine(source: Path | bytes, *, channels: Literal[1, 3] = 3, name: str | None = None) -> Examined:
    """Read an image as `read_image` does, and tell how its file has it.

    Arguments:
        source, channels, name: as of `read_image`.

    Raises:
        RequestError: when it cannot be read, with the reason.
    """
    with _opened(source, name) as image, _in_flight(image.width * image.height):
        image.load()
        mode, turned = image.mode, image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
        ImageOps.exif_transpose(image, in_place=True)
        return Examined(_bytes(image, channels), mode, turned)


def pillow_image(
    image: Image.Image, *, channels: Literal[1, 3] = 3, name: str = "the image"
) -> UInt8[Tensor, "channels h w"]:
    """The pixels of an image that pillow has open, exactly as `read_image` gives those of its file.

    `image` stays as it is; `name` is what errors call it.
    Raises: RequestError as `read_image`.
    """
    with _faults_told(name):
        _check(image, name)
        return _bytes(ImageOps.exif_transpose(image), channels)


class _Room:
    """How many pixels are decoded at the moment, and a wait for those who want more than there is room for."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.taken = 0


_ROOM = _Room()


@contextmanager
def _in_flight(pixels: int) -> Iterator[None]:
    """Waits until there is room for `pixels`; the first has room whatever its size."""
    with _ROOM.changed:
        _ROOM.changed.wait_for(lambda: _ROOM.taken == 0 or _ROOM.taken + pixels <= IN_FLIGHT)
        _ROOM.taken += pixels
    try:
        yield
    finally:
        with _ROOM.changed:
            _ROOM.taken -= pixels
            _ROOM.changed.notify_all()


@dataclass(frozen=True)
class Header:
    """What the beginning of an image's file says."""

    width: int
    """Pixels, as it is stored: a camera's image may be turned by its EXIF orientation."""
    height: int
    mode: str
    """pillow's word for the kind of its pixels, such as RGB, L (grey), P (palette) or CMYK."""


def image_header(path: Path) -> Header:
    """The size and mode of an image; its pixels are not decoded.

    Raises: RequestError where `read_image` would before it decodes.
    """
    with _opened(path, None) as image:
        return Header(image.width, image.height, image.mode)


@contextmanager
def _opened(source: Path | bytes, name: str | None) -> Iterator[Image.Image]:
    """pillow's image of a file; what it raises meanwhile becomes a RequestError that names it."""
    name = name or (str(source) if isinstance(source, Path) else "the image")
    content = _content(source, name)
    with _faults_told(name), Image.open(BytesIO(content), formats=_available_formats()) as image:
        _check(image, name)
        yield image


@contextmanager
def _faults_told(name: str) -> Iterator[None]:
    """What pillow raises inside becomes a RequestError about `name`."""
    try:
        yield
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        raise _too_large(name, int(pixels[0]) if pixels else 2 * MAX_PIXELS) from None
    except UnidentifiedImageError:
        raise RequestError(f"{name}: is no image of a known format ({', '.join(_available_formats())})") from None
    except _DECODER_FAILURES as error:
        raise RequestError(f"{name}: is damaged: {str(error).rstrip('.') or type(error).__name__}") from None


@cache
def _available_formats() -> tuple[str, ...]:
    """The names of those `FORMATS` that this pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _content(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, Path):
        with refusals_told(name, expected="an image"):
            source = read_file(source, at_most=MAX_BYTES)
    if not source:
        raise RequestError(f"{name}: is empty")
    return source


def _check(image: Image.Image, name: str) -> None:
    """Refuse, before anything is decoded, what has too many pixels or values of an unknown range."""
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name, image.width * image.height)
    # before pillow 11.3 a PNG of 16 bits is said to have 32
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise RequestError(
            f"{name}: has 32-bit values (mode {image.mode}), whose range is unknown; "
            "save it with 8 or 16 bits per channel"
        )


def _too_large(name: str, pixels: int) -> RequestError:
    return RequestError(f"{name}: has {pixels:,} pixels, and at most {MAX_PIXELS:,} are read; make it smaller first")


def _bytes(image: Image.Image, channels: int) -> UInt8[Tensor, "channels h w"]:
    if image.mode in (*_SIXTEEN_BITS, "I"):
        deep = np.asarray(image).astype(np.int64)
        grey = ((deep.clip(0, 65_535) + 128) // 257).astype(np.uint8)
        return torch.from_numpy(grey)[None].expand(channels, -1, -1).contiguous()
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    # to the mode that it has already pillow would convert by a copy
    if image.mode not in ("L", "RGB") or (image.mode == "L" and channels == 3):
        image = image.convert("RGB")
    if channels == 1 and image.mode != "L":
        image = image.convert("L")
    pixels = torch.from_numpy(np.array(image))  # a copy: torch needs memory that it may write to
    # the channels of a pixel stay together: what is made smaller next is made so four times as fast
    return pixels[None] if channels == 1 else pixels.permute(2, 0, 1)
