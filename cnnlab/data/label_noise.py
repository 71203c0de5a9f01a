"""Labels made wrong on purpose, to measure what finds them, or what they cost."""

import torch
from jaxtyping import Int64
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed


def swapped(labels: Int64[Tensor, "n"], classes: int, share: float, *, seed: int) -> Int64[Tensor, "n"]:
    """Give a share of the images another class, each other class equally likely.

    Arguments:
        labels: as they are.
        classes: their number, from 2.
        share: of the images whose labels are swapped, 0 … 1; rounded to whole images.
        seed: of the choice.

    Returns:
        The labels, of which exactly that share is another one.

    Raises:
        RequestError: for a single class.

    Example:
        >>> before = torch.arange(100) % 5
        >>> int((swapped(before, 5, 0.03, seed=0) != before).sum())
        3
    """
    if classes < 2:
        raise RequestError("labels of a single class cannot be swapped")
    generator = torch.Generator().manual_seed(derive_seed(seed, "label noise"))
    chosen = torch.randperm(len(labels), generator=generator)[: round(share * len(labels))]
    steps = torch.randint(1, classes, (len(chosen),), generator=generator)
    found = labels.clone()
    found[chosen] = (labels[chosen] + steps) % classes
    return found
