"""Animations as GIF, by pillow: one palette for all frames, since one for each would flicker."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.files import write_whole
from cnnlab.view import png
from cnnlab.view.blocks import Figure

LAST = 3
"""Times longer that the last frame is held, so that the end is seen before it begins again."""

_COLOURS = 256
_AT_ONCE = 1 << 14
"""Colours whose distances to the palette are in memory together."""


def save(frames: Sequence[Figure], path: Path, *, seconds: float, theme: png.Theme = png.LIGHT) -> None:
    """The frames one after another for ever, each for `seconds` (whole hundredths), as a file written whole.

    Frames of different sizes have their top left corners in common, the rest is paper. Frames that look alike and
    follow each other are one that is held longer.

    Raises: ValueError without frames, and for a time that GIF cannot say: 0.02 s (browsers slow down what is shorter)
        to 200 s.
    """
    if not 0.02 <= seconds <= 200:
        raise ValueError(f"{seconds:g} s a frame: expected 0.02 to 200")
    write_whole(path, _encoded([png.pixels(frame, theme=theme) for frame in frames], seconds, _colour(theme.paper)))


def _encoded(frames: Sequence[NDArray[np.uint8]], seconds: float, paper: tuple[int, int, int]) -> bytes:
    if not frames:
        raise ValueError("an animation without frames")
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    pages = np.full((len(frames), height, width, 3), paper, dtype=np.uint8)
    for page, frame in zip(pages, frames, strict=True):
        page[: frame.shape[0], : frame.shape[1]] = frame
    codes, places, counts = np.unique(_packed(pages), return_inverse=True, return_counts=True)
    palette = _palette(codes, counts, paper)
    indices = _nearest(codes, palette)[places].reshape(pages.shape[:3])
    images = [Image.fromarray(page, mode="P") for page in indices]
    for image in images:
        image.putpalette(palette.tobytes())
    # GIF counts hundredths, pillow thousandths.
    times = [10 * round(100 * seconds)] * (len(images) - 1) + [10 * round(100 * seconds) * LAST]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=times, loop=0, optimize=False)
    return buffer.getvalue()


def _palette(codes: NDArray[np.uint32], counts: NDArray[np.intp], paper: tuple[int, int, int]) -> NDArray[np.uint8]:
    """256 colours [256, 3]: all that there are, where they are few, otherwise the paper and those nearest to all."""
    if len(codes) <= _COLOURS:
        found = _unpacked(codes)
    else:
        # Each colour as often as the root of its count: thin lines and letters keep theirs beside wide areas.
        often = np.ceil(np.sqrt(counts) / 4).astype(int)
        sample = Image.fromarray(np.repeat(_unpacked(codes), often, axis=0)[None])
        cut = sample.quantize(_COLOURS - 1, method=Image.Quantize.MAXCOVERAGE).getpalette() or []
        found = np.concatenate([[paper], np.asarray(cut, dtype=np.uint8).reshape(-1, 3)[: _COLOURS - 1]])
    return np.concatenate([found, np.tile(found[-1:], (_COLOURS - len(found), 1))]).astype(np.uint8)


def _nearest(codes: NDArray[np.uint32], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Find for each colour the nearest of the palette, the first of several; pillow's own search is a coarse one."""
    chosen = palette.astype(np.float32)
    found = np.empty(len(codes), dtype=np.uint8)
    for start in range(0, len(codes), _AT_ONCE):
        colours = _unpacked(codes[start : start + _AT_ONCE]).astype(np.float32)
        # |a − b|² = |a|² − 2ab + |b|², of which |a|² is the same for the whole palette; exact in these whole numbers.
        found[start : start + _AT_ONCE] = ((chosen**2).sum(1) - 2 * colours @ chosen.T).argmin(1)
    return found


def _packed(pages: NDArray[np.uint8]) -> NDArray[np.uint32]:
    wide = pages.astype(np.uint32)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], dtype=np.uint32).reshape(-1)


def _unpacked(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)


def _colour(name: str) -> tuple[int, int, int]:
    red, green, blue = (int(name[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue
