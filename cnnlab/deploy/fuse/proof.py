"""Whether two networks compute the same: their logits in double precision, where rounding is 1e-16."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from cnnlab.models.undisturbed import undisturbed

TOLERANCE = 1e-10
"""Of the largest logit: by how much two may differ in double precision."""


@dataclass(frozen=True)
class Proof:
    """Both networks on the same images."""

    images: str
    """Which images, in words."""
    count: int
    difference: float
    """The largest between two logits, in double precision, as a share of the largest logit."""
    single: float
    """The same in single precision, as the networks are used."""
    answers: int
    """Images of which both say the same class, in single precision."""

    @property
    def holds(self) -> bool:
        """Whether the two compute the same."""
        return self.difference <= TOLERANCE


def proof(doubles: Sequence[nn.Module], singles: Sequence[nn.Module], inputs: Tensor, *, images: str) -> Proof:
    """Run a network and its fused twin on the same images.

    Arguments:
        doubles: both in double precision.
        singles: both as they are used.
        inputs: prepared images (n, channels, height, width).
        images: what they are, in words.

    Returns:
        The differences of all that they put out; NaN in one of them differs from all else.

    Example:
        >>> one = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> proof([one.double()] * 2, [one] * 2, torch.rand(3, 1, 2, 2).double(), images="noise").holds
        True
    """
    exact, equal, scale = _compared(doubles, inputs.double())
    like = next(iter(singles[0].parameters()), inputs)
    single, same, _ = _compared(singles, inputs.to(like.device, like.dtype))
    assert equal is not None
    return Proof(images, len(inputs), exact / scale, single / scale, int(same.sum()))


def _compared(models: Sequence[nn.Module], inputs: Tensor) -> tuple[float, Tensor, float]:
    """The largest difference, which images have the same answer, and the largest logit."""
    outputs = []
    with torch.no_grad():
        for model in models:
            with undisturbed(model):
                outputs.append([leaf for leaf in tree_leaves(model(inputs)) if isinstance(leaf, Tensor)])
    pairs = [(one.double(), other.double()) for one, other in zip(*outputs, strict=True)]
    worst = max(_difference(one, other) for one, other in pairs)
    first, second = pairs[0]
    same = first.flatten(1).argmax(1) == second.flatten(1).argmax(1)
    return worst, same, max(float(one.abs().max()) for one, _ in pairs) or 1.0


def _difference(one: Tensor, other: Tensor) -> float:
    found = float((one - other).abs().max())
    return float("inf") if found != found else found
