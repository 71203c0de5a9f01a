"""Noisy linear imputation: removed pixels become the weighted mean of their eight neighbours, all at once.

Rong et al. 2022 (ROAD), arXiv:2202.00449, section 4.2: x = Σ w·x over the neighbours, w = 1/6 beside and 1/12 diagonal,
renormalised at the image's border, and Gaussian noise on what was filled in. Other than a constant, such pixels carry
no outline of the mask that a network could read.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

ADJACENT = 1 / 6
DIAGONAL = 1 / 12


def impute(
    image: Float[Tensor, "c h w"], removed: Bool[Tensor, "h w"], *, noise: Float[Tensor, "c h w"] | None = None
) -> Float[Tensor, "c h w"]:
    """`image` with its `removed` pixels imputed, and `noise` added to those; what is kept stays exactly as it was.

    Solved exactly (sparse LU in float64): for half the pixels about 2 ms at 32 px, and 0.2 s at 224 px.

    Raises: ValueError where no pixel is left to impute from.
    """
    # scipy takes a quarter of a second to import
    from scipy.sparse.linalg import splu

    gone = removed.cpu().numpy().ravel()
    if gone.all():
        raise ValueError("every pixel is removed: there is nothing left to impute from")
    if not gone.any():
        return image.clone()
    known = image.detach().cpu().double().flatten(1).numpy()
    rows = laplacian(*removed.shape)[gone]
    # symmetric and diagonally dominant: no pivoting is needed, and an order made for that is twice as fast
    factors = splu(
        rows[:, gone].tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    filled = factors.solve(-(rows[:, ~gone] @ known[:, ~gone].T))
    result = image.detach().clone()
    values = torch.from_numpy(np.ascontiguousarray(filled.T)).to(image)
    result[:, removed] = values if noise is None else values + noise[:, removed].to(image)
    return result


@lru_cache(maxsize=4)
def laplacian(height: int, width: int) -> Any:
    """The sparse (pixels, pixels) matrix whose row i is (Σ w)·x_i − Σ w·x over the neighbours within the image."""
    from scipy.sparse import csr_matrix, diags

    numbers = np.arange(height * width).reshape(height, width)
    first, second, weights = [], [], []
    for down, right, weight in ((0, 1, ADJACENT), (1, 0, ADJACENT), (1, 1, DIAGONAL), (1, -1, DIAGONAL)):
        # a pixel and its neighbour `down` rows below and `right` columns to the right; −1 is to the left
        here = numbers[: height - down, max(0, -right) : width - max(0, right)].ravel()
        there = numbers[down:, max(0, right) : width - max(0, -right)].ravel()
        first += [here, there]
        second += [there, here]
        weights += [np.full(2 * len(here), weight)]
    size = height * width
    edges = csr_matrix((np.concatenate(weights), (np.concatenate(first), np.concatenate(second))), shape=(size, size))
    return (diags(np.asarray(edges.sum(1)).ravel()) - edges).tocsr()
