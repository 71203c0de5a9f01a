"""Matrices made nearly orthogonal by the iteration of Newton and Schulz: products alone, no decomposition.

A step maps each singular value s to a·s + b·s³ + c·s⁵ and leaves the singular vectors as they are. With these
coefficients a few steps take any s but the smallest near 1, without ever reaching it: a matrix U·S·Vᵀ becomes about
U·Vᵀ.
"""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Coefficients: TypeAlias = Literal["jordan", "hiverge"]

COEFFICIENTS: dict[str, tuple[float, float, float]] = {
    "jordan": (3.4445, -4.7750, 2.0315),
    "hiverge": (3.4576, -4.7391, 2.0843),
}
"""(a, b, c) of Jordan 2024, https://kellerjordan.github.io/posts/muon, and of hiverge/cifar10-speedrun (2025)."""

MOST_STEPS: dict[str, int] = {"jordan": 10, "hiverge": 3}
"""The second polynomial takes 0.563 to 1.219, which is above its fixed point 1.214: from there it goes to infinity."""

EPS = 1e-7
"""Added to the norm of a matrix, so that one of zeros stays zeros."""


def orthogonalized(
    matrices: Float[Tensor, "n rows columns"],
    *,
    steps: int,
    coefficients: Coefficients = "jordan",
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "n rows columns"]:
    """Each matrix with its singular values brought near 1.

    Arguments:
        matrices: of one shape; each is divided by its Frobenius norm first.
        steps: of the iteration; 5 bring singular values from 0.01 of the norm on to 0.68 … 1.14, and 3 do for training.
        coefficients: of the polynomial.
        dtype: to compute in; that of the matrices by default.

    Returns:
        The matrices in their own dtype.

    Example:
        >>> stretched = torch.diag(torch.tensor([3.0, 1.0, 0.1]))
        >>> torch.linalg.svdvals(orthogonalized(stretched[None], steps=5)).round(decimals=2)
        tensor([[1.1300, 1.1300, 0.7500]])
    """
    a, b, c = COEFFICIENTS[coefficients]
    tall = matrices.shape[1] > matrices.shape[2]
    # the products are as large as the shorter side
    found = (matrices.mT if tall else matrices).to(dtype or matrices.dtype)
    found = found / (torch.linalg.matrix_norm(found, keepdim=True) + EPS)
    for _ in range(steps):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return (found.mT if tall else found).to(matrices.dtype)
