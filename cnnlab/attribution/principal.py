"""The first principal component of feature maps, by the smaller of the two Gram matrices (Eigen-CAM)."""

import torch
from jaxtyping import Float
from torch import Tensor


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
