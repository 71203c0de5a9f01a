"""Which norm to take: the decision tree of section 19.4, for a network as it is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cnnlab.probe.norm.layers import BATCH_NORM, NormLayer

ENOUGH = 32
"""Images of a batch from which on batch norm is the first choice."""

FEW = 8
"""Images of a batch below which its statistics are too noisy: Wu & He 2018, arXiv:1803.08494, figure 1."""

OTHERWISE = (
    "detection, segmentation, video and 3-D networks with a few images a step: group norm; "
    "transformers and ConvNeXt: layer norm; style transfer: instance norm; the U-Net of a diffusion model: group norm"
)
"""What the tree says of other tasks than classification."""


@dataclass(frozen=True)
class Recommendation:
    """A sentence, and whether it warns."""

    sentence: str
    warns: bool = False


WHY: Mapping[str, str] = MappingProxyType(
    {
        "group norm": "group norm takes no statistics over the batch, so it goes with any batch size",
        "layer norm": "layer norm takes no statistics over the batch, so it goes with any batch size",
        "instance norm": (
            "instance norm takes the mean and the contrast of each channel out of each image, which is what style "
            "transfer wants, and takes from a classifier what it could know by them"
        ),
    }
)


def recommended(layers: Sequence[NormLayer], batch: int | None) -> Recommendation:
    """Say whether a network's norms fit its training, by the tree of section 19.4.

    Arguments:
        layers: its norms, at least one.
        batch: images of a batch in its training; None where that is not known.

    Returns:
        The sentence; it warns of batch norm with fewer than 8 images.

    Example:
        >>> recommended([NormLayer("bn1", "batch norm", 64, "N, H, W")], 2).warns
        True
    """
    kinds = list(dict.fromkeys(layer.kind for layer in layers))
    if BATCH_NORM not in kinds:
        return Recommendation("; ".join(WHY[kind] for kind in kinds) + ". None of them has running statistics")
    if batch is None:
        return Recommendation(
            f"batch norm is the first choice from batches of {ENOUGH} images on, group norm below {FEW}"
        )
    said = f"batch norm with batches of {batch:,} images: "
    if batch < FEW:
        return Recommendation(
            f"{said}below {FEW} its statistics are too noisy; take group norm, or more images a batch (accumulating "
            "gradients over batches does not help: each batch is normalised by itself)",
            warns=True,
        )
    if batch < ENOUGH:
        return Recommendation(f"{said}it still works from {FEW} on, and group norm may do as well; try both")
    return Recommendation(f"{said}the first choice for a classifier from {ENOUGH} on; group norm is not needed")
