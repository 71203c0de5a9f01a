"""A picture's own pixels as a file, for whatever comes after: no title, nothing enlarged."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.files import write_whole


def save_picture(pixels: NDArray[np.uint8], path: Path) -> Path:
    """`pixels` [h, w, 1 or 3] as a PNG, written whole."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    write_whole(path, buffer.getvalue())
    return path
