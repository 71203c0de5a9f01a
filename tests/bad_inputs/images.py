"""Images and folders of them, good and bad."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image


def colour(number: int, size: int = 8) -> Image.Image:
    """An image of one colour; another number, another colour."""
    return Image.new("RGB", (size, size), (number * 40 % 256, number * 90 % 256, 200))


def png(number: int = 0, size: int = 8) -> bytes:
    """The same as a file."""
    return content(colour(number, size), "PNG")


def content(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of an image file."""
    target = BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def class_folders(root: Path, *, classes: tuple[str, ...] = ("cat", "dog"), count: int = 4) -> None:
    """`root/CLASS/N.png`."""
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for index in range(count):
            (root / name / f"{index}.png").write_bytes(png(number * count + index))


def bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A PNG of some bytes that claims thousands of millions of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def float_tiff() -> bytes:
    """A TIFF of 32-bit floats."""
    return content(Image.fromarray(np.linspace(0, 5, 64, dtype=np.float32).reshape(8, 8)), "TIFF")


def cmyk_jpeg() -> bytes:
    """A JPEG for the printing press: pure red."""
    return content(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100)


def sixteen_bits() -> bytes:
    """A grey PNG of 16 bits: 0x8000 everywhere."""
    return content(Image.fromarray(np.full((8, 8), 0x8000, np.uint16)), "PNG")


def animation() -> bytes:
    """A GIF: a red image, then a blue one."""
    frames = [Image.new("RGB", (8, 8), name) for name in ("red", "blue")]
    return content(frames[0], "GIF", save_all=True, append_images=frames[1:])
