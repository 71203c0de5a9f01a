"""The directions in which features vary most."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from cnnlab.core.errors import RequestError


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """Features along the directions in which they vary most."""

    mean: Float64[Tensor, "d"]
    axes: Float64[Tensor, "count d"]
    """Axes of length 1 and at right angles; the entry of largest size is positive, which fixes the sign."""
    variance: Float64[Tensor, "count"]
    """Along each axis, in squared units of the features, divided by n − 1."""
    share: Float64[Tensor, "count"]
    """Share of the whole variance, 0 … 1; 0 where features do not vary."""
    coordinates: Float64[Tensor, "n count"]
    """Coordinates of the images, in units of the features."""


def principal_components(features: Float[Tensor, "n d"], *, count: int = 2) -> PrincipalComponents:
    """The `count` first principal components, by singular values of the centred features in double precision.

    Source: Pearson 1901; Jolliffe, Principal component analysis (2002), section 3.5.

    Raises: RequestError unless there are two images and 1 ≤ count ≤ min(n, d).
    """
    n, d = features.shape
    if n < 2 or not 1 <= count <= min(n, d):
        raise RequestError(
            f"{count} principal components of {n} images with {d} features: expected at least 2 images, and 1 to "
            "as many components as there are images and features"
        )
    values = features.detach().cpu().double()
    mean = values.mean(0)
    _, s, axes = torch.linalg.svd(values - mean, full_matrices=False)
    axes, variance = axes[:count], s**2 / (n - 1)
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0).double()
    whole = float(variance.sum())
    share = variance[:count] / whole if whole > 0 else torch.zeros(count, dtype=torch.float64)
    return PrincipalComponents(mean, axes, variance[:count], share, (values - mean) @ axes.T)
