"""What albums need beside their template: the rules that show the chosen image, and images as addresses of themselves.

What is chosen is shown by `:has()` and `:target` in the page's own style; on paper the first choice is printed.
"""

import base64
import io

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from cnnlab.view.interactive import Album, CellAlbum, Shot
from cnnlab.view.png.heat import overlay
from cnnlab.view.scenes import Scene

_COLOURS = 128
"""Colours of an image in an album: enough that no step is seen in its heat."""

_TILE = 96
"""Pixels that the longer side of an image behind a cell comes near to."""


def places(album: Album, shot: Shot) -> str:
    """The names by which rules find a shot: of its option in each choice, of all options where it stands for all."""
    return " ".join(
        f"o{number}-{place}"
        for number, (chosen, choice) in enumerate(zip(shot.options, album.choices, strict=True))
        for place in (range(len(choice.options)) if chosen is None else [chosen])
    )


def words(album: Album, shot: Shot) -> str:
    """What is chosen where a shot is seen: `method: Grad-CAM, layer: 3`."""
    return ", ".join(
        f"{choice.title}: {choice.options[place]}"
        for choice, place in zip(album.choices, shot.options, strict=True)
        if place is not None
    )


def rules(album: Album) -> Markup:
    """Style: a shot is hidden while another option than its own is chosen."""
    return Markup("").join(
        Markup("#{0}:has(#{0}-{1}-{2}:checked) .shot:not(.o{1}-{2}){{display:none}}").format(album.name, number, place)
        for number, choice in enumerate(album.choices)
        for place in range(len(choice.options))
    )


def share(album: CellAlbum, count: int) -> str:
    """How deep the colour of a cell is: the root of its share of the largest count, as a percentage."""
    return f"{100 * (count / max(1, int(album.counts.max()))) ** 0.5:.0f}%"


def overlaid(scene: Scene) -> Markup:
    """A scene's image under its map, as the address of itself, in few colours: a third as large as with all."""
    return _inside(Image.fromarray(overlay(scene)).quantize(_COLOURS, dither=Image.Dither.NONE))


def enlarged(image: NDArray[np.uint8]) -> Markup:
    """An image behind a cell, [h, w, 1 or 3], its pixels as squares, as the address of itself."""
    times = max(1, round(_TILE / max(image.shape[:2])))
    colours = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    return _inside(Image.fromarray(colours.repeat(times, axis=0).repeat(times, axis=1)))


def _inside(image: Image.Image) -> Markup:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return Markup("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())
