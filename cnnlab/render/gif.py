"""Animations as GIF, by pillow: one palette for all frames, since one for each would flicker."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.files import write_whole
from cnnlab.render import png
from cnnlab.reports.blocks import Picture

LAST = 3
"""Times longer that the last frame is held, so that the end is seen before it begins again."""

_COLOURS = 256


def save(frames: Sequence[Picture], path: Path, *, seconds: float, theme: png.Theme = png.LIGHT) -> None:
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
    palette = _palette(pages, paper)
    images = [Image.fromarray(page).quantize(palette=palette, dither=Image.Dither.NONE) for page in pages]
    # GIF counts hundredths, pillow thousandths.
    times = [10 * round(100 * seconds)] * (len(images) - 1) + [10 * round(100 * seconds) * LAST]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=times, loop=0, optimize=False)
    return buffer.getvalue()


def _palette(pages: NDArray[np.uint8], paper: tuple[int, int, int]) -> Image.Image:
    """The colours of all frames; the paper, of which there is most, exactly, and all of them where they are few."""
    colours, counts = np.unique(pages.reshape(-1, 3), axis=0, return_counts=True)
    if len(colours) >= _COLOURS:
        # Each colour as often as the root of its count: thin lines and letters keep theirs beside wide areas.
        often = np.ceil(np.sqrt(counts) / 4).astype(int)
        sample = Image.fromarray(np.repeat(colours, often, axis=0)[None])
        found = sample.quantize(_COLOURS - 1, method=Image.Quantize.MEDIANCUT).getpalette() or []
        colours = np.asarray(found, dtype=np.uint8).reshape(-1, 3)
    flat = [*paper, *(int(value) for value in colours.reshape(-1))]
    palette = Image.new("P", (1, 1))
    # The places that are left over repeat the paper: pillow would fill them with black.
    palette.putpalette((flat + list(paper) * _COLOURS)[: 3 * _COLOURS])
    return palette


def _colour(name: str) -> tuple[int, int, int]:
    red, green, blue = (int(name[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue
