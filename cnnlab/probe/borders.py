"""What stands beyond the border of an image or a map: its mirror image, its other side, its edge."""

from typing import Literal

import torch
from torch import Tensor

Beyond = Literal["circular", "reflect", "replicate"]


def extended(images: Tensor, rows: tuple[int, int], columns: tuple[int, int], beyond: Beyond) -> Tensor:
    """Images with more rows and columns around them, of any type of number, and by as many as are wanted.

    Arguments:
        images: (n, channels, height, width).
        rows, columns: how many before and after.
        beyond: what stands there; a mirror image does not repeat the edge.

    Returns: (n, channels, more rows, more columns).

    Example:
        >>> extended(torch.tensor([[[[1, 2, 3]]]]), (0, 0), (2, 2), "reflect").flatten().tolist()
        [3, 2, 1, 2, 3, 2, 1]
    """
    for dim, (before, after) in ((2, rows), (3, columns)):
        if before or after:
            size = images.shape[dim]
            places = torch.arange(-before, size + after, device=images.device)
            if beyond == "circular":
                places = places % size
            elif beyond == "reflect" and size > 1:
                places = (size - 1) - ((places % (2 * size - 2)) - (size - 1)).abs()
            else:
                places = places.clamp(0, size - 1)
            images = images.index_select(dim, places)
    return images
