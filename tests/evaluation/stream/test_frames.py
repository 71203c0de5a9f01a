"""Frames are cut out of a stream of bytes wherever its reader stops, and damaged ones do not take others with them."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnnlab.core.errors import RequestError
from cnnlab.evaluation.stream.frames import EncodedFrames, RawFrames, frames_of


class Dripping:
    """A stream that gives a few bytes at a time, as a pipe may."""

    def __init__(self, content: bytes, most: int) -> None:
        self.source, self.most = io.BytesIO(content), most

    def read(self, size: int = -1, /) -> bytes:
        return self.source.read(min(size, self.most))


def encoded(seed: int, kind: str, **options: object) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (17, 23, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def thumbnailed() -> bytes:
    """A JPEG with another one inside its header, as cameras write them."""
    inner, outer = encoded(8, "JPEG"), encoded(9, "JPEG")
    return outer[:2] + b"\xff\xe1" + struct.pack(">H", len(inner) + 2) + inner + outer[2:]


FRAMES = (
    encoded(0, "JPEG"),
    encoded(1, "JPEG", progressive=True),
    encoded(2, "PNG"),
    encoded(3, "JPEG", quality=100, restart_marker_blocks=2),
    thumbnailed(),
    encoded(4, "JPEG")[:-2] + b"\xff\xff\xff\xd9",  # filled up before its end marker
)


@settings(max_examples=12)
@given(st.lists(st.sampled_from(FRAMES), max_size=5), st.sampled_from([1, 7, 100, 10_000]), st.binary(max_size=3))
def test_images_one_behind_the_other_are_cut_where_they_end(frames: list[bytes], most: int, between: bytes) -> None:
    between = between.replace(b"\xff", b"").replace(b"\x89", b"")
    stream = Dripping(between.join(frames), most)
    assert [one.content for one in EncodedFrames().read(stream)] == frames


def test_a_stream_that_ends_inside_a_frame() -> None:
    *whole, last = EncodedFrames().read(io.BytesIO(FRAMES[0] + FRAMES[2] + FRAMES[1][:-9]))
    assert [one.content for one in whole] == [FRAMES[0], FRAMES[2]]
    assert (last.name, last.fault) == ("<stdin> frame 2", "the stream ends inside of it")
    (cut,) = EncodedFrames().read(io.BytesIO(FRAMES[2][:30]))
    assert cut.fault == last.fault


def test_a_damaged_frame_is_told_and_the_next_is_read() -> None:
    spoiled = bytearray(FRAMES[2])
    spoiled[40:44] = b"oops"
    first, second = EncodedFrames().read(io.BytesIO(bytes(spoiled) + FRAMES[0]))
    with pytest.raises(RequestError, match="frame 0: is "):
        first.read(3)
    assert second.read(3).shape == (3, 17, 23)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(RequestError, match="0x6e6f7065, which is neither JPEG nor PNG"):
        list(EncodedFrames().read(io.BytesIO(b"nope" + FRAMES[0])))
    endless = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**31 - 1) + b"IDAT" + b"0" * 100
    with pytest.raises(RequestError, match="frame 0 has more than 100,000,000 bytes"):
        list(EncodedFrames().read(io.BytesIO(endless)))
    assert list(EncodedFrames().read(io.BytesIO())) == []


@pytest.mark.parametrize("order", ["rgb", "bgr", "gray"])
def test_raw_frames(order: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 1 if order == "gray" else 3), dtype=np.uint8)
    *frames, rest = frames_of(f"7x5:{order}").read(Dripping(pixels.tobytes() + b"123", 11))
    read = np.stack([one.read(3).permute(1, 2, 0).numpy() for one in frames])
    expected = pixels[..., ::-1] if order == "bgr" else pixels
    assert (read == np.broadcast_to(expected, read.shape)).all()
    assert "ends after 3 of its" in rest.fault


def test_what_a_person_writes() -> None:
    assert frames_of("640x480") == RawFrames(640, 480, "rgb")
    assert frames_of("images") == EncodedFrames()
    for wrong in ("", "0x5", "5x", "5x5:rgba", "mjpeg", "-1x5", "5x5x5", "99999x99999"):
        with pytest.raises(RequestError, match="`frames` is '"):
            frames_of(wrong)
