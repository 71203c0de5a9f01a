"""Correlation against true convolution: the same sliding sum, with the kernel turned by 180° or not.

Frameworks slide the kernel as it is (cross-correlation); the textbook's convolution turns it first. Any kernel is the
sum of an even part, which the turn leaves as it is, and an odd part, whose sign it reverses: of an odd kernel such as
Sobel's the two outputs are each other's negative, so that edges point the other way.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cnnlab.layers_lab.kernel.borders import Border, correlated, inner_part

FAINT = 0.01
"""Share of the largest output below which a sign says nothing."""


def turned(kernel: Float[Tensor, "c kh kw"]) -> Float[Tensor, "c kh kw"]:
    """The kernel turned by 180° in its plane."""
    return kernel.flip(1, 2)


@dataclass(frozen=True, eq=False)
class Directions:
    """What correlation and convolution make of the same image; in the unit of weight × pixel."""

    border: Border
    correlation: Float[Tensor, "i j"]
    convolution: Float[Tensor, "i j"]
    odd_share: float
    """Share of the kernel's energy Σw² in its odd part, 0 (even) … 1 (odd)."""
    largest: float
    """The largest size of a correlation's output where its window lies inside the image."""
    row: int
    column: int
    """Its place …"""
    there: tuple[float, float]
    """… and what correlation and convolution say there."""
    difference: float
    """Largest size of correlation − convolution: 0 for an even kernel …"""
    sum: float
    """… and of correlation + convolution: 0 for an odd one."""
    reversed_share: float | None
    """Share of the outputs above 1 % of the largest whose sign is reversed; None where all are 0."""
    similarity: float | None
    """Cosine between the two outputs, −1 … 1: −1 for an odd kernel; None where one is 0 everywhere."""


def both_directions(image: Float[Tensor, "c h w"], kernel: Float[Tensor, "c kh kw"], border: Border) -> Directions:
    """Correlate and convolve, and measure how the two differ.

    Arguments:
        image: at least as large as the kernel.
        kernel: one filter.
        border: what lies outside of the image.

    Returns:
        Both outputs and their differences.
    """
    ahead, back = correlated(image, kernel, border), correlated(image, turned(kernel), border)
    sizes = ahead.abs()
    if border != "valid":  # an edge that padding made is none of the image's
        sizes = sizes * inner_part(
            (int(image.shape[1]), int(image.shape[2])), (int(kernel.shape[1]), int(kernel.shape[2]))
        )
    largest = float(sizes.max())
    row, column = divmod(int(sizes.argmax()), ahead.shape[1])
    strong = (ahead.abs() > FAINT * ahead.abs().max()) | (back.abs() > FAINT * back.abs().max())
    reversed_ = (torch.sign(ahead) == -torch.sign(back))[strong]
    lengths = float(ahead.double().norm() * back.double().norm())
    energy = float(kernel.double().square().sum())
    odd = float(((kernel - turned(kernel)).double() / 2).square().sum())
    return Directions(
        border=border,
        correlation=ahead,
        convolution=back,
        odd_share=odd / energy if energy > 0 else 0.0,
        largest=largest,
        row=row,
        column=column,
        there=(float(ahead[row, column]), float(back[row, column])),
        difference=float((ahead - back).abs().max()),
        sum=float((ahead + back).abs().max()),
        reversed_share=float(reversed_.double().mean()) if len(reversed_) else None,
        similarity=float((ahead.double() * back.double()).sum()) / lengths if lengths > 0 else None,
    )
