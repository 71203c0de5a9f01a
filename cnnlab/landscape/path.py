"""The plane that a training's path comes nearest to: principal components of the weights of its epochs.

Li et al. 2018, arXiv:1712.09913, section 7: the components of θ₀ − θ, θ₁ − θ, …, where θ are the final weights. They
are not centred, so that the plane goes through θ, and a component's share is that of the squared distances from θ.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.landscape.directions import Weights

NO_STEP = 1e-12
"""The share of the squared distances below which a component is none: rounding."""


@dataclass(frozen=True, eq=False)
class Path:
    """A training's path, seen in its own plane."""

    directions: tuple[dict[str, Tensor], dict[str, Tensor]]
    """Of length 1 and at right angles; the second is zero where the path is a straight line."""
    places: tuple[tuple[float, float], ...]
    """Where the weights of each epoch lie in the plane, from the final weights, in the unit of the weights."""
    shares: tuple[float, float]
    """Of the squared distances from the final weights, 0 … 1."""


def principal_path(final: Weights, count: int, load: Callable[[int], Weights]) -> Path:
    """Find the plane, with two readings of the weights: one for the angles between them, one for the directions.

    Arguments:
        final: the parameters that have filters, at the end.
        count: how many epochs there are, from 1.
        load: the parameters of epoch number 0 … count − 1, with those of `final` among them.

    Returns: the plane, the places of the epochs in their order, and what share of the path it holds.

    Raises: RequestError where the path never leaves the final weights.
    """
    steps = [_difference(load(number), final) for number in range(count)]
    gram = torch.tensor([[_product(one, two) for two in steps] for one in steps], dtype=torch.float64)
    values, vectors = torch.linalg.eigh(gram)
    total = float(values.clamp(min=0).sum())
    if total == 0:
        raise RequestError("the weights that were kept are all the final ones, so that there is no path")
    directions, coordinates, shares = [], [], []
    for place in (-1, -2):
        value = float(values[place]) if len(values) >= -place else 0.0
        if value <= NO_STEP * total:
            directions.append({name: torch.zeros_like(one) for name, one in final.items()})
            coordinates.append([0.0] * count)
            shares.append(0.0)
            continue
        vector = vectors[:, place]
        vector = vector * (1 if float(vector[0]) >= 0 else -1)  # the beginning lies to the right, or above
        directions.append(_combined(steps, vector / value**0.5))
        coordinates.append((vector * value**0.5).tolist())
        shares.append(value / total)
    across, along = coordinates
    return Path((directions[0], directions[1]), tuple(zip(across, along, strict=True)), (shares[0], shares[1]))


def _difference(weights: Weights, final: Weights) -> dict[str, Tensor]:
    return {name: weights[name].to(one) - one for name, one in final.items()}


def _product(one: Weights, two: Weights) -> float:
    return sum(float(torch.dot(a.flatten().double(), two[name].flatten().double())) for name, a in one.items())


def _combined(steps: Sequence[Weights], by: Tensor) -> dict[str, Tensor]:
    return {name: sum(float(b) * step[name] for b, step in zip(by, steps, strict=True)) for name in steps[0]}  # type: ignore[misc]
