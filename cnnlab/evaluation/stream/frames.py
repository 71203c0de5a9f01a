"""Frames in a stream of bytes: raw pixels of one size, or images of JPEG and PNG one after the other."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from cnnlab.core.errors import RequestError
from cnnlab.data.decoding import MAX_PIXELS
from cnnlab.network.image_files import ReadsBytes, Source

STREAM = "<stdin>"
"""What a stream is called in the names of its frames."""

MOST_BYTES = 100_000_000
"""Of one encoded frame."""

CHUNK = 1 << 16
"""Bytes that are read at a time."""

CHANNELS = {"rgb": 3, "bgr": 3, "gray": 1}
"""Bytes of a pixel, by the order in which raw frames have them."""


@dataclass(frozen=True)
class RawFrames:
    """Frames without a header, row after row, a byte a channel, as `ffmpeg -f rawvideo` writes them."""

    width: int
    height: int
    order: str = "rgb"
    """A key of `CHANNELS`."""

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        return self.width * self.height * CHANNELS[self.order]

    def read(self, stream: ReadsBytes) -> Iterator[Source]:
        """The frames until the stream ends; one that it ends inside is a source with a fault."""
        bytes_of = _Bytes(stream)
        number = 0
        while content := bytes_of.taken(self.size):
            name = f"{STREAM} frame {number}"
            if len(content) < self.size:
                fault = f"the stream ends after {len(content):,} of its {self.size:,} bytes"
                yield Source(name, fault=fault)
            else:
                yield Source(name, image=self._image(content))
            number += 1

    def _image(self, content: bytes) -> Image.Image:
        pixels = np.frombuffer(content, np.uint8).reshape(self.height, self.width, -1)
        if self.order == "bgr":
            pixels = pixels[..., ::-1]
        return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if CHANNELS[self.order] == 1 else pixels))


@dataclass(frozen=True)
class EncodedFrames:
    """JPEG and PNG images one behind the other, as `ffmpeg -f mjpeg` and `-f image2pipe` write them."""

    def read(self, stream: ReadsBytes) -> Iterator[Source]:
        """The frames until the stream ends; bytes between two frames are passed over.

        Raises: RequestError where the stream does not begin with a frame, and for a frame of more than `MOST_BYTES`.
        """
        bytes_of = _Bytes(stream)
        number = 0
        while bytes_of.needs(1):
            begin = bytes_of.find(_BEGINNINGS)
            if number == 0 and begin != 0:
                raise RequestError(
                    f"{STREAM} begins with bytes 0x{bytes_of.buffer[:4].hex()}, which is neither JPEG nor PNG; raw "
                    "frames need their size, `frames` WIDTHxHEIGHT:rgb"
                )
            if begin is None:
                return
            del bytes_of.buffer[:begin]
            name = f"{STREAM} frame {number}"
            try:
                length = _png_length(bytes_of) if bytes_of.buffer.startswith(_PNG) else _jpeg_length(bytes_of)
            except _TooLongError:
                raise RequestError(f"{name} has more than {MOST_BYTES:,} bytes") from None
            if length is None:
                bytes_of.buffer.clear()
                yield Source(name, fault="the stream ends inside of it")
            else:
                yield Source(name, content=bytes_of.taken(length))
            number += 1


Frames: TypeAlias = RawFrames | EncodedFrames
"""What a stream of bytes holds."""

ENCODED = "images"
"""What a person writes for JPEG and PNG."""


def frames_of(text: str) -> Frames:
    """What `text` says of a stream: WIDTHxHEIGHT, with :rgb, :bgr or :gray behind it, or `images`.

    Raises:
        RequestError: for anything else, and for frames of too many pixels.

    Example:
        >>> frames_of("640x480:bgr")
        RawFrames(width=640, height=480, order='bgr')
    """
    if text == ENCODED:
        return EncodedFrames()
    match = re.fullmatch(r"([1-9]\d{0,6})[x×]([1-9]\d{0,6})(?::(\w+))?", text)
    if match is None or (match[3] or "rgb") not in CHANNELS:
        raise RequestError(
            f"`frames` is '{text}', expected WIDTHxHEIGHT of raw frames, such as 96x96:rgb ({', '.join(CHANNELS)}), or "
            f"{ENCODED} for JPEG and PNG"
        )
    width, height = int(match[1]), int(match[2])
    if width * height > MAX_PIXELS:
        raise RequestError(f"`frames` is '{text}': {width * height:,} pixels, and at most {MAX_PIXELS:,} are read")
    return RawFrames(width, height, match[3] or "rgb")


_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_BEGINNINGS = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n")
_LONGEST_BEGINNING = len(_PNG)
_ALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers of JPEG that have no length behind them, but for the two ends."""
_END, _SCAN = 0xD9, 0xDA


class _TooLongError(Exception):
    """A frame that does not end."""


class _Bytes:
    """What was read of a stream and not taken yet."""

    def __init__(self, stream: ReadsBytes) -> None:
        raw: Any = getattr(stream, "raw", stream)  # whose reading holds no lock that would outlive the program's end
        self._read = getattr(raw, "read1", None) or raw.read
        self.buffer = bytearray()

    def _more(self, size: int = CHUNK) -> bool:
        content = self._read(size)
        self.buffer += content or b""
        return bool(content)

    def needs(self, length: int) -> bool:
        """Whether so many bytes are there, or could be read."""
        while len(self.buffer) < length:
            if length > MOST_BYTES:
                raise _TooLongError
            if not self._more():
                return False
        return True

    def taken(self, length: int) -> bytes:
        """The next bytes, `length` of them unless the stream ends."""
        while len(self.buffer) < length and self._more(max(CHUNK, length - len(self.buffer))):
            pass
        content = bytes(self.buffer[:length])
        del self.buffer[:length]
        return content

    def find(self, pattern: re.Pattern[bytes]) -> int | None:
        """Where a frame begins; bytes that no frame can begin in are let go, but for those at the very start."""
        while (match := pattern.search(self.buffer)) is None:
            if len(self.buffer) > CHUNK:
                del self.buffer[:-_LONGEST_BEGINNING]
            if not self._more():
                return None
        return match.start()


def _jpeg_length(found: _Bytes) -> int | None:
    """Bytes of the JPEG at the beginning; None where the stream ends before it."""
    place = 2
    while found.needs(place + 2):
        if found.buffer[place] != 0xFF:  # damaged: where the next marker is, it may go on
            place += 1
            continue
        marker = found.buffer[place + 1]
        if marker == _END:
            return place + 2
        if marker == 0xFF:
            place += 1
        elif marker in _ALONE or marker == 0:
            place += 2
        else:
            if not found.needs(place + 4):
                return None
            place += 2 + int.from_bytes(found.buffer[place + 2 : place + 4], "big")
            if marker == _SCAN:
                scan_end = _after_scan(found, place)
                if scan_end is None:
                    return None
                place = scan_end
    return None


def _after_scan(found: _Bytes, place: int) -> int | None:
    """Where the entropy-coded data that begins at `place` ends: at a marker that is no restart."""
    while found.needs(place + 2):
        at = found.buffer.find(b"\xff", place, len(found.buffer) - 1)
        if at < 0:
            place = len(found.buffer) - 1
            if not found.needs(place + 2):
                return None
            continue
        if found.buffer[at + 1] not in (0, 0xFF, *_ALONE):
            return at
        place = at + (1 if found.buffer[at + 1] == 0xFF else 2)
    return None


def _png_length(found: _Bytes) -> int | None:
    """Bytes of the PNG at the beginning; None where the stream ends before it."""
    place = len(_PNG)
    while found.needs(place + 8):
        length = int.from_bytes(found.buffer[place : place + 4], "big")
        kind = bytes(found.buffer[place + 4 : place + 8])
        place += 12 + length
        if not found.needs(place):
            return None
        if kind == b"IEND":
            return place
    return None
