"""A linear read-out: what can be told from features by a weighted sum of them."""

import torch
from jaxtyping import Float
from torch import Tensor

PENALTIES = tuple(10.0**power for power in range(5, -6, -1))
"""On the squared weights of a read-out, of features with deviation 1, per sample: the largest first."""

BETTER = 1e-4
"""The share by which a smaller penalty has to do better: of two samples every penalty does equally well."""


def told(features: Float[Tensor, "n cells d"], places: Float[Tensor, "n cells axes"]) -> Float[Tensor, "half"]:
    """Fit a ridge regression of places on features over the first half of the images, and ask it about the other half.

    Arguments:
        features: d of each of some cells of n images.
        places: where each cell lies, along each axis.

    Returns:
        R² of each image of the second half: 1 where the places are told exactly, about 0 where nothing is, and below
        where what was learned by heart misleads. The total variation is that of all their places.

    Example:
        >>> places = torch.rand(8, 20, 2)
        >>> features = torch.cat([places.flip(2) * 3 - 1, torch.rand(8, 20, 1)], 2)
        >>> bool((told(features, places) > 0.99).all())
        True
    """
    half = len(features) // 2
    known, asked = features[:half].flatten(0, 1).double(), features[half:].double()
    middle, spread = known.mean(0), known.std(0).clamp(min=1e-12)
    known, asked = (known - middle) / spread, (asked - middle) / spread
    # a feature that never varies tells nothing, not even where it is divided by rounding
    varies = spread > 1e-6 * (1 + middle.abs())
    known, asked = known * varies, asked * varies
    targets = places[:half].flatten(0, 1).double()
    base = targets.mean(0)
    weights = _ridge(known, targets - base)
    truth = places[half:].double()
    wrong = (asked @ weights + base - truth).square().mean((1, 2))
    total = (truth - truth.mean((0, 1))).square().mean()
    return 1 - wrong / total


def _ridge(known: Float[Tensor, "n d"], targets: Float[Tensor, "n axes"]) -> Float[Tensor, "d axes"]:
    """The weights with the penalty under which each sample is told best by all others (Golub, Heath & Wahba 1979)."""
    left, sizes, right = torch.linalg.svd(known, full_matrices=False)
    along = left.T @ targets
    best, found = float("inf"), torch.zeros(known.shape[1], targets.shape[1], dtype=known.dtype)
    for penalty in PENALTIES:
        kept = sizes.square() / (sizes.square() + penalty * len(known))
        rest = (1 - 1 / len(known) - left.square() @ kept).clamp(min=1e-9)  # the mean has its share
        missed = float(((targets - left @ (kept[:, None] * along)) / rest[:, None]).square().mean())
        if missed < best * (1 - BETTER):
            weights: Tensor = right.T @ ((kept / sizes.clamp(min=1e-300))[:, None] * along)
            best, found = missed, weights
    return found
