"""Images of a data set as the tiles of a gallery."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def tile(image: Tensor) -> NDArray[np.uint8]:
    """A uint8 image [c, h, w] as [h, w, 3], or [h, w, 1] of its first channel when it has fewer than three."""
    channels = 3 if image.shape[0] >= 3 else 1
    return np.ascontiguousarray(image[:channels].permute(1, 2, 0).cpu().numpy())


def tiles(images: Iterable[Tensor]) -> tuple[NDArray[np.uint8], ...]:
    """`tile` of each."""
    return tuple(tile(image) for image in images)
