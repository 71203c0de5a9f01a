"""Images as Python has them: paths, pillow's images, arrays and tensors, one or several."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.network.image_files import Source, sources_at

GivenImage: TypeAlias = str | Path | Image.Image | NDArray[np.uint8] | Tensor
"""A path (of a file, a folder or a pattern), an image of pillow's, bytes as an array (h, w, 3) or (h, w), or as a
tensor (c, h, w)."""

GivenImages: TypeAlias = GivenImage | Sequence[GivenImage]
"""One image, a list of them, or several in one array (n, h, w, 3) or tensor (n, c, h, w)."""

CHANNELS = (1, 3, 4)
"""Of an image: grey, red green blue, and these with transparency."""


def sources_of(images: GivenImages) -> list[Source]:
    """The images that were given, to be read as files are: turned by EXIF, transparent parts on white.

    Arguments:
        images: paths, images of pillow's, arrays or tensors, as `GivenImages`.

    Returns:
        A source for each image; a path that leads to nothing is one with a fault.

    Raises:
        RequestError: where there is no image, an array is of another shape, or its values are no bytes.

    Example:
        >>> [source.name for source in sources_of([np.zeros((8, 8, 3), np.uint8), Image.new("L", (4, 4))])]
        ['image 0', 'image 1']
    """
    several: Sequence[Any] = [images] if isinstance(images, (str, Path, Image.Image, np.ndarray, Tensor)) else images
    if not isinstance(several, Sequence):
        raise _unknown(images, "images")
    found: list[Source] = []
    for one in several:
        found += _sources(one, len(found))
    if not found:
        raise RequestError("`images` has no image")
    if all(source.fault for source in found):
        raise RequestError(*(f"{source.name}: {source.fault}" for source in found))
    return found


def _sources(one: Any, first: int) -> Iterator[Source]:
    """The images in `one`; those without a name are numbered from `first`."""
    if isinstance(one, (str, Path)):
        yield from sources_at(str(one))
    elif isinstance(one, Image.Image):
        yield Source(str(getattr(one, "filename", "")) or f"image {first}", image=one)
    elif isinstance(one, Tensor):
        single = one.dim() != 4
        for number, image in enumerate([one] if single else one, first):
            yield Source(f"image {number}", image=_of_tensor(image, f"image {number}"))
    elif isinstance(one, np.ndarray):
        single = one.ndim != 4
        for number, pixels in enumerate([one] if single else one, first):
            yield Source(f"image {number}", image=_of_array(pixels, f"image {number}"))
    else:
        raise _unknown(one, f"image {first}")


def _unknown(value: object, name: str) -> RequestError:
    return RequestError(
        f"{name} is of type {type(value).__name__}, expected a path, an image of pillow's, an array (h, w, 3) or a "
        "tensor (c, h, w) of bytes"
    )


def _of_tensor(image: Tensor, name: str) -> Image.Image:
    if image.dim() == 3 and image.shape[0] not in CHANNELS:
        way = "; give image.permute(2, 0, 1)" if image.shape[2] in CHANNELS else ""
        raise RequestError(f"{name} is a tensor of shape {tuple(image.shape)}, expected (channels, height, width){way}")
    pixels = image.detach().cpu()
    return _of_array((pixels.permute(1, 2, 0) if pixels.dim() == 3 else pixels).numpy(), name)


def _of_array(pixels: NDArray[Any], name: str) -> Image.Image:
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in CHANNELS) or not pixels.size:
        way = "; give image.transpose(1, 2, 0)" if pixels.ndim == 3 and pixels.shape[0] in CHANNELS else ""
        raise RequestError(f"{name} has the shape {pixels.shape}, expected (height, width, 3) or (height, width){way}")
    if pixels.dtype != np.uint8:
        raise RequestError(
            f"{name} has values of {pixels.dtype}, and an image has bytes, 0 … 255, that nothing was taken off; of "
            "values in 0 … 1 give (255 * image).round() as uint8"
        )
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels))
