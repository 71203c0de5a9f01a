"""How far apart the fields of paths lie where they meet."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from cnnlab.walk.reach import NOTHING, Reach, Tag, single


def misalignment(tensors: Sequence[Tensor], tag_of: Callable[[Tensor], Tag | None]) -> tuple[float, ...] | None:
    """The largest distance, at the central unit, between the centres of the paths' fields along each axis, in pixels.

    None where fewer than two planes meet; paths whose units all see the same have no place.
    """
    planes = [(tensor, tag_of(tensor)) for tensor in tensors if tensor.dim() > 2]
    tags = [tag for tensor, tag in planes if tag is not None and any(size > 1 for size in tensor.shape[2:])]
    if len(tags) < 2:
        return None
    apart = []
    for axis in range(len(tags[0].axes)):
        fields = [tag.axes[axis] for tag in tags if single(tag.axes[axis]) is None]
        centres = [value for field in fields for value in _centres(field)]
        apart.append((max(centres) - min(centres)) / 2 if centres else 0.0)
    return tuple(apart)


def _centres(field: Reach) -> list[int]:
    """Twice the centre of the central unit's field, the least and the largest among its channels."""
    index = tuple(slice(None) if dim < 2 else size // 2 for dim, size in enumerate(field.hull.shape[1:]))
    first, last = -field.hull[0][index], field.hull[1][index]
    centre = (first + last)[last > NOTHING]
    return [int(np.min(centre)), int(np.max(centre))] if centre.size else []
