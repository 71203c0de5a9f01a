"""What makes probabilities of logits: a softmax over the classes together, or a sigmoid of each by itself."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Activation: TypeAlias = Literal["softmax", "sigmoid"]
"""Softmax: an image is of one class. Sigmoid: each class is a question of its own."""


def class_logits(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n classes"]:
    """Logits of two classes or more: a single one z, which speaks for class 1 of two, is set beside 0.

    The softmax of (0, z) is (1 − σ(z), σ(z)), and its cross-entropy that of the yes-or-no question.
    """
    return logits if logits.shape[1] > 1 else torch.cat([torch.zeros_like(logits), logits], dim=1)


def class_probabilities(logits: Float[Tensor, "n k"], activation: Activation = "softmax") -> Float[Tensor, "n classes"]:
    """Probabilities of all classes, 0 … 1; of a single logit, which speaks for class 1 of two, by its sigmoid.

    Arguments:
        logits: of n images.
        activation: of the network.

    Example:
        >>> class_probabilities(torch.tensor([[0.0]])), class_probabilities(torch.tensor([[0.0, 0.0, 0.0]]), "sigmoid")
        (tensor([[0.5000, 0.5000]]), tensor([[0.5000, 0.5000, 0.5000]]))
    """
    if logits.shape[1] == 1:
        return torch.cat([(-logits).sigmoid(), logits.sigmoid()], dim=1)
    return logits.sigmoid() if activation == "sigmoid" else logits.softmax(1)


def log_probabilities(logits: Float[Tensor, "n k"], activation: Activation = "softmax") -> Float[Tensor, "n classes"]:
    """Logarithms of `class_probabilities`, without loss where those are near 0; differentiable."""
    if logits.shape[1] == 1:
        return F.logsigmoid(torch.cat([-logits, logits], dim=1))
    return F.logsigmoid(logits) if activation == "sigmoid" else logits.log_softmax(1)


def class_names(logits: Float[Tensor, "n k"], known: Sequence[str]) -> tuple[str, ...]:
    """`known` where there is one for each class, otherwise their numbers; a single logit stands for two classes."""
    count = max(2, logits.shape[1])
    return tuple(known) if len(known) == count else tuple(map(str, range(count)))
