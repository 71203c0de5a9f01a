"""The head of a network: in what way the logits depend on a layer's feature maps, found by trying and not by names."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from cnnlab.attribution.tail import Tail, tail_logits

HeadKind: TypeAlias = Literal["gap_linear", "gap_dense", "flatten_dense", "other"]

TRIALS = 8
"""Maps that are tried at a time, so that a network that is linear here and there is not taken for one that is."""
TOLERANCE = 1e-3
"""Share of the largest change of a logit: room for rounding and TF32, far below what any activation function bends."""


@dataclass(frozen=True)
class Head:
    """How logits follow from the feature maps of `layer`."""

    layer: str
    kind: HeadKind
    affine: bool
    """Whether each logit is a weighted sum of the feature maps' values and a constant."""
    orderless: bool
    """Whether the logits stay when places are exchanged."""
    mean_only: bool
    """Whether the logits depend on each channel's mean over places alone."""
    closed: bool
    """Whether they depend on nothing but this layer."""

    @property
    def sentence(self) -> str:
        """What follows from the kind, for a person."""
        return {
            "gap_linear": "the head is a global average and one linear layer: CAM, Grad-CAM and HiResCAM agree",
            "gap_dense": "the head begins with a global average: the gradient is the same at every place, so that "
            "Grad-CAM and HiResCAM agree",
            "flatten_dense": "the head weighs every place by itself: Grad-CAM averages that away, "
            + ("HiResCAM's map sums to the logit" if self.affine else "HiResCAM keeps it"),
            "other": "more than a global average or dense layers lie behind the map, so that no CAM is exact",
        }[self.kind]


def head_of(tail: Tail, maps: Float[Tensor, "n k h w"], *, convolutions_follow: bool) -> Head:
    """What kind of head follows `tail.layer`, whose output for some images is `maps`; six passes of the tail.

    The logits are worked out for the maps and noise of their size, for their means put at every place, for places
    exchanged, and for points on the line through two such maps. `convolutions_follow` says whether learned layers
    that keep places apart come after: then "flatten_dense" would be the wrong word.
    """
    if not tail.closed:
        return Head(tail.layer, "other", affine=False, orderless=False, mean_only=False, closed=False)
    rows = torch.zeros(TRIALS, dtype=torch.long)
    generator = torch.Generator().manual_seed(0)
    spread = maps.std() if float(maps.std()) > 0 else torch.ones((), device=maps.device)
    shape = (TRIALS, *maps.shape[1:])

    def noise() -> Tensor:
        # Noise of places averages out: only offsets of whole channels reach the bends of what lies behind an average.
        offsets = 3 * torch.randn(*shape[:2], 1, 1, generator=generator)
        return spread * (torch.randn(shape, generator=generator) + offsets).to(maps)

    first, second = maps[:1] + noise(), noise()

    def logits(at: Tensor) -> Tensor:
        return tail_logits(tail, at, rows)

    here, there = logits(first), logits(second)
    scale = float((here - there).abs().max()) or 1.0
    averaged = logits(first.mean((2, 3), keepdim=True).expand_as(first))
    beyond = logits(2.0 * first - second)

    def near(a: Tensor, b: Tensor) -> bool:
        return float((a - b).abs().max()) <= TOLERANCE * scale

    mean_only = near(averaged, here)
    order = torch.randperm(first[0, 0].numel(), generator=generator).to(first.device)
    orderless = near(logits(first.flatten(2)[:, :, order].reshape(first.shape)), here)
    affine = near(beyond, 2.0 * here - there) and near(logits(0.5 * (first + second)), 0.5 * (here + there))
    kind: HeadKind = "other"
    if mean_only:
        kind = "gap_linear" if affine else "gap_dense"
    elif not orderless and not convolutions_follow:
        kind = "flatten_dense"
    return Head(tail.layer, kind, affine=affine, orderless=orderless, mean_only=mean_only, closed=True)
