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

ClassWeights = Literal["none", "balanced"] | list[PositiveNumber]


@LOSSES.register("cross_entropy")
def cross_entropy(
    counts: Int64[Tensor, "classes"], *, label_smoothing: Fraction = 0.0, class_weights: ClassWeights = "none"
) -> Loss:
    """Cross-entropy of the softmax, mean over the batch; targets are labels [n] or probabilities [n, classes].

    `label_smoothing` e mixes the target with the uniform distribution: (1 − e)·target + e/classes (Szegedy 2016,
    arXiv:1512.00567, sec. 7). `class_weights` is a number for each class, or `balanced`: n / (classes · n_class).
    """
    weight: Tensor | None = None
    if class_weights == "balanced":
        weight = counts.sum() / (len(counts) * counts.clamp(min=1)).float()
    elif isinstance(class_weights, list):
        if len(class_weights) != len(counts):
            raise RequestError(f"class_weights has {len(class_weights)} numbers, the data set {len(counts)} classes")
        weight = torch.tensor(class_weights, dtype=torch.float32, device=counts.device)
    return nn.CrossEntropyLoss(weight=weight, label_smoothing=label_smoothing)
