"""Explanation maps as measures take them: checked, and at the images' resolution."""

from jaxtyping import Bool, Float
from torch import Tensor

from cnnlab.attribution.maps import upsampled
from cnnlab.core.errors import WorkError


def at_image_size(maps: Float[Tensor, "n h w"], size: tuple[int, int]) -> Float[Tensor, "n H W"]:
    """Maps in float32 enlarged to `size` (height, width): bilinear with half-pixel centres, values kept.

    Raises: WorkError where a value is NaN or infinite; ValueError for a map that is larger than the image.
    """
    finite = maps.isfinite().flatten(1).all(1)
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0, 0])
        raise WorkError(
            f"{int((~finite).sum())} of {len(maps)} maps have values that are NaN or infinite (first: map {first}); "
            "look for a division by zero in the method, or for weights that diverged"
        )
    maps = maps.detach().float()
    height, width = maps.shape[1:]
    if height > size[0] or width > size[1]:
        raise ValueError(f"maps of {height}×{width} for images of {size[0]}×{size[1]}: expected the same or lower")
    return upsampled(maps, size)


def has_evidence(maps: Float[Tensor, "n h w"]) -> Bool[Tensor, "n"]:
    """Whether anything of a map is above zero; a map without has no place that it points at."""
    return (maps > 0).flatten(1).any(1)


def varies(maps: Float[Tensor, "n h w"]) -> Bool[Tensor, "n"]:
    """Whether a map prefers any pixel to another; one that does not puts them in random order."""
    flat = maps.flatten(1)
    return flat.max(1).values > flat.min(1).values
