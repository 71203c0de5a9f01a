"""Losses by name."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import Fraction, PositiveNumber
from cnnlab.fit.registry import LOSSES

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of logits [n, k] and targets: their mean, or their sum where its `reduction` is "sum", as of torch's losses."""

ClassWeights = Literal["none", "balanced"] | list[PositiveNumber]


@LOSSES.register("cross_entropy")
def cross_entropy(
    counts: Int64[Tensor, "classes"],
    *,
    label_smoothing: Fraction = 0.0,
    class_weights: ClassWeights = "none",
    reduction: Literal["mean", "sum"] = "mean",
) -> Loss:
    """Cross-entropy of the softmax over a batch; targets are labels [n] or probabilities [n, classes].

    `label_smoothing` e mixes the target with the uniform distribution: (1 − e)·target + e/classes (Szegedy 2016,
    arXiv:1512.00567, sec. 7). `class_weights` is a number for each class, or `balanced`: n / (classes · n_class).
    With `reduction: sum` gradients are those of the sum over all images of a step, the batches that it accumulates
    together, as in airbench (Jordan 2024, arXiv:2404.00498): `lr` is smaller by their number, and `clipping` bounds the
    sum's. Losses are told for an image either way.
    """
    weight: Tensor | None = None
    if class_weights == "balanced":
        weight = counts.sum() / (len(counts) * counts.clamp(min=1)).float()
    elif isinstance(class_weights, list):
        if len(class_weights) != len(counts):
            raise RequestError(f"class_weights has {len(class_weights)} numbers, the data set {len(counts)} classes")
        weight = torch.tensor(class_weights, dtype=torch.float32, device=counts.device)
    return nn.CrossEntropyLoss(weight=weight, label_smoothing=label_smoothing, reduction=reduction)


def is_summed(loss: Loss) -> bool:
    """Whether `loss` is the sum over the images; otherwise it is their mean."""
    return getattr(loss, "reduction", "mean") == "sum"


def per_image(loss: Loss, value: Tensor, images: int) -> Tensor:
    """What `value`, which `loss` gave for so many images, comes to for one."""
    return value / images if is_summed(loss) else value


def averaged(loss: Loss) -> Loss:
    """`loss` as a mean over the images, where it is their sum."""
    return (lambda logits, targets: per_image(loss, loss(logits, targets), len(targets))) if is_summed(loss) else loss
