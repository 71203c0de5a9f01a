import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from cnnlab.core.errors import RequestError
from cnnlab.data import decoding
from cnnlab.data.decoding import MAX_PIXELS, read_image

# top row red, green; bottom row blue, white
COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], dtype=np.uint8)
EXPECTED = torch.from_numpy(COLOURS).permute(2, 0, 1)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def message(source: Path | bytes, **options: object) -> str:
    with pytest.raises(RequestError) as caught:
        read_image(source, **options)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "TGA", "GIF", "WEBP", "JPEG2000"])
def test_lossless_formats_are_exact(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    image = Image.fromarray(np.kron(COLOURS, np.ones((8, 8, 1), np.uint8)))
    decoded = read_image(encoded(image, format, **options))
    assert decoded.dtype == torch.uint8
    assert torch.equal(decoded, EXPECTED.repeat_interleave(8, 1).repeat_interleave(8, 2))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "LAB", "HSV"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_becomes_grey_or_colour(mode: str, channels: int) -> None:
    format = {"CMYK": "JPEG", "YCbCr": "JPEG", "PA": "TIFF", "LAB": "TIFF", "HSV": "TIFF"}.get(mode, "PNG")
    try:
        content = encoded(Image.new(mode, (5, 4)), format)
    except OSError:
        pytest.skip(f"pillow cannot write {mode}")
    assert read_image(content, channels=channels).shape == (channels, 4, 5)  # type: ignore[arg-type]


def test_cmyk_has_the_colours_of_the_ink() -> None:
    cyan = read_image(encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG", quality=100))
    assert (cyan.float().mean((1, 2)) - torch.tensor([0.0, 255, 255])).abs().max() < 3


def test_sixteen_bits_are_rounded_to_eight() -> None:
    deep = np.array([[0, 128, 129, 257, 32_768, 65_406, 65_407, 65_535]], dtype=np.uint16)
    expected = [round(v / 257) for v in deep[0].tolist()]
    for format in ("PNG", "TIFF", "PPM"):
        content = encoded(Image.fromarray(deep), format)
        assert read_image(content, channels=1).flatten().tolist() == expected
        assert read_image(content, channels=3)[1].flatten().tolist() == expected
    big_endian = Image.frombytes("I;16B", (8, 1), deep.astype(">u2").tobytes())
    assert read_image(encoded(big_endian, "TIFF"), channels=1).flatten().tolist() == expected


def test_transparent_parts_are_white_whatever_is_below_them() -> None:
    image = Image.fromarray(COLOURS).convert("RGBA")
    image.putpixel((0, 0), (9, 9, 9, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    decoded = read_image(encoded(image))
    assert decoded[:, 0].T.tolist() == [[255] * 3, [127] * 3]
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putdata([0, 1])
    decoded = read_image(encoded(palette, "PNG", transparency=0))
    assert decoded[:, 0].T.tolist() == [[255] * 3, [0, 0, 255]]
    grey = Image.new("LA", (1, 1), (0, 0))
    assert read_image(encoded(grey), channels=1).item() == 255


def test_the_exif_orientation_is_obeyed() -> None:
    image = Image.fromarray(COLOURS)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise for viewing
    assert torch.equal(read_image(encoded(image, "PNG", exif=exif)), EXPECTED.rot90(-1, (1, 2)))


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "lime")]
    for format in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if format == "WEBP" else {}
        content = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
        assert read_image(content)[:, 0, 0].tolist() == [255, 0, 0]


def test_grey_is_the_luma_of_colour() -> None:
    grey = read_image(encoded(Image.fromarray(COLOURS)), channels=1)
    assert grey.flatten().tolist() == [76, 150, 29, 255]  # ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B


def test_what_cannot_be_read_is_said_by_name(tmp_path: Path) -> None:
    good = encoded(Image.effect_noise((64, 64), 50), "JPEG")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(good[: len(good) // 2])
    text = tmp_path / "text.png"
    text.write_text("no image")
    empty = tmp_path / "empty.png"
    empty.touch()
    known = "JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, PPM, JPEG2000, TGA, ICO"
    assert message(tmp_path / "none.png") == f"{tmp_path}/none.png: no such file"
    assert message(tmp_path) == f"{tmp_path}: is a folder, expected an image"
    assert message(empty) == f"{empty}: is empty"
    assert message(text) == f"{text}: is no image of a known format ({known})"
    assert message(cut).startswith(f"{cut}: is damaged: image file is truncated (")
    assert message(b"", name="-") == "-: is empty"
    assert message(encoded(Image.new("F", (2, 2)), "TIFF")) == (
        "the image: has 32-bit values (mode F), whose range is unknown; save it with 8 or 16 bits per channel"
    )


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 9_600, 12_000, 30_000, 2**31 - 1])
def test_an_image_with_too_many_pixels_is_refused_before_it_is_decoded(side: int) -> None:
    assert side**2 > MAX_PIXELS
    assert message(png_that_claims(side, side)) == (
        f"the image: has {side**2:,} pixels, and at most 80,000,000 are read; make it smaller first"
    )


def test_no_other_program_is_started_for_postscript() -> None:
    assert message(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n").startswith("the image: is no image of a")


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")

NOISE = Image.merge("RGB", [Image.effect_noise((24, 24), 80) for _ in range(3)])
SAMPLES = {
    format: encoded(NOISE.convert("P") if format == "GIF" else NOISE, format)
    for format in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO", "JPEG2000")
}
TIFFS = [encoded(NOISE, "TIFF", compression=kind) for kind in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")]


def decoded_or_refused(content: bytes) -> None:
    refused = ""
    try:
        assert read_image(content).shape[0] == 3
    except RequestError as error:
        refused = str(error)
    assert not refused or refused.startswith("the image: ")


@given(st.sampled_from([*SAMPLES.values(), *TIFFS]), st.data())
@settings(deadline=None, max_examples=300)
def test_damage_anywhere_is_an_image_or_an_error_of_ours(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        # headers are where decoders go astray
        place = data.draw(st.integers(0, min(len(damaged), 300) - 1) | st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    decoded_or_refused(bytes(damaged))


@given(st.binary(max_size=64))
@settings(deadline=None, max_examples=100)
@example(b"P6\n2 2\n255\n")
def test_any_bytes_are_an_image_or_an_error_of_ours(content: bytes) -> None:
    decoded_or_refused(content)


def test_all_threads_together_decode_a_bounded_number_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    most = []

    def decode(image: Image.Image, channels: int) -> torch.Tensor:
        most.append(decoding._ROOM.taken)
        time.sleep(0.002)
        return torch.zeros(channels, image.height, image.width, dtype=torch.uint8)

    monkeypatch.setattr(decoding, "IN_FLIGHT", 250)
    monkeypatch.setattr(decoding, "_bytes", decode)
    # the last one alone is more than there is room for, and is read all the same
    files = [encoded(Image.new("RGB", size)) for size in [(10, 10)] * 12 + [(30, 10)]]
    with ThreadPoolExecutor(6) as pool:
        assert len(list(pool.map(read_image, files))) == 13
    assert max(taken for taken in most if taken != 300) <= 200
    assert 300 in most
    assert decoding._ROOM.taken == 0
    monkeypatch.setattr(decoding, "_bytes", lambda image, channels: 1 // 0)
    assert "is damaged" in message(files[0])
    assert decoding._ROOM.taken == 0
