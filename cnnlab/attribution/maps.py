"""Maps brought to another size, and to 0 … 1.

Measures take maps checked and at the images' resolution; Eigen-CAM takes the first principal component of feature maps,
by the smaller of the two Gram matrices.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from cnnlab.core.errors import WorkError


def upsampled(maps: Float[Tensor, "*n h w"], size: tuple[int, int]) -> Float[Tensor, "*n h2 w2"]:
    """Bilinear to `size` (height, width) in pixels, with pixel centres at half places (`align_corners=False`)."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    return F.interpolate(flat, size=size, mode="bilinear", align_corners=False).reshape(*maps.shape[:-2], *size)


def positive_scaled(maps: Float[Tensor, "*n h w"]) -> Float[Tensor, "*n h w"]:
    """What speaks for the target, each map divided by its largest value: 0 … 1, and no evidence stays 0.

    A minimum is not subtracted: a map that is positive everywhere has no place without evidence.
    """
    positive = maps.clamp(min=0)
    largest = positive.amax((-2, -1), keepdim=True)
    return positive / largest.where(largest > 0, 1)


def least_to_largest(values: Tensor, over: tuple[int, ...]) -> Tensor:
    """The values between the least (0) and the largest (1) over the dimensions `over`; all 0 where these are equal."""
    low, high = values.amin(over, keepdim=True), values.amax(over, keepdim=True)
    return (values - low) / (high - low).where(high > low, 1)


def fused(maps: list[Float[Tensor, "*n _ _"]]) -> Float[Tensor, "*n h w"]:
    """Maps of several layers as one: each `positive_scaled`, brought to the size of the largest, and averaged.

    Layers have values of different sizes, so that a mean of raw maps would be that of the layer with the largest.
    """
    size = max((tuple(one.shape[-2:]) for one in maps), key=lambda shape: shape[0] * shape[1])
    total: Tensor = sum(upsampled(positive_scaled(one), (size[0], size[1])) for one in maps)  # type: ignore[assignment]
    return total / len(maps)


def principal_map(maps: Float[Tensor, "r k h w"], *, centred: bool = False) -> Float[Tensor, "r h w"]:
    """X v₁ for X (h·w, k), a row of `maps` with places as rows, and v₁ its first right singular vector.

    Muhammad and Yeasin 2020 (Eigen-CAM), arXiv:2008.00299, equation 4, uncentred as there; `centred` subtracts each
    channel's mean first, as pytorch-grad-cam does. The sign is chosen so that Σ v₁ ≥ 0, which is to say that the map
    goes along with the plain sum of channels, ⟨X v₁, X 1⟩ = σ² Σ v₁; for maps without negative values v₁ has none.
    A centred map has no such direction where channels outweigh one another.

    X Xᵀ (h·w, h·w) and Xᵀ X (k, k) have the same eigenvalues σ²: the smaller one is decomposed, all images at once,
    in double precision, since squaring halves the digits.
    """
    rows, channels, height, width = maps.shape
    # Apple's devices have no float64.
    matrix = maps.flatten(2).transpose(1, 2).to(maps.dtype if maps.device.type == "mps" else torch.float64)
    if centred:
        matrix = matrix - matrix.mean(1, keepdim=True)
    if height * width <= channels:
        values, vectors = torch.linalg.eigh(matrix @ matrix.transpose(1, 2))
        found = vectors[..., -1] * values[..., -1:].clamp(min=0).sqrt()
    else:
        _, vectors = torch.linalg.eigh(matrix.transpose(1, 2) @ matrix)
        found = (matrix @ vectors[..., -1:])[..., 0]
    along = (found * matrix.sum(2)).sum(1, keepdim=True)
    return torch.where(along < 0, -found, found).reshape(rows, height, width).to(maps.dtype)


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
