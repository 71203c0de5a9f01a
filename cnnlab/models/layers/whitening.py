"""A first convolution that takes the correlations of neighbouring pixels away, worked out from training images."""

from collections.abc import Iterable
from math import prod
from typing import Annotated, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape, window_shape
from cnnlab.core.errors import RequestError, ShapeError
from cnnlab.core.quantities import Pair
from cnnlab.models.layers.inputs import image
from cnnlab.models.registry import LAYERS

MOST_VALUES = 2048
"""Of a patch: its covariance is decomposed, which takes seconds for as many."""

PATCHES = 1_000_000
"""Patches that are looked at at a time, so that memory suffices."""


@LAYERS.register("whitening")
def whitening(
    shape: Shape,
    *,
    kernel: Pair = (2, 2),
    eps: Annotated[float, Field(gt=0, le=1e6)] = 5e-4,
    images: Annotated[int, Field(gt=0, le=1_000_000)] = 5000,
) -> "Whitening":
    """A convolution that whitens patches: its 2·C·k·k filters are eigenvectors of their covariance, and the negatives.

    Each eigenvector is divided by √(eigenvalue + eps), so that the outputs have variance 1 and no correlation. They are
    worked out when a training begins, from `images` of the training part, and are not learned; the biases, 0 at first,
    are. Before that the filters are random and orthogonal. (C, H, W) → (2·C·k·k, H − k + 1, W − k + 1). Parameters:
    2·(C·k·k)² that are kept, and 2·C·k·k biases. It stands first, without another norm. Sources: Page 2019
    (davidcpage/cifar10-fast); Jordan 2024, arXiv:2404.00498, section 3.1.
    """
    channels, *_ = image(shape)
    values = channels * prod(kernel)
    if values > MOST_VALUES:
        raise ShapeError(
            f"its patches have {values:,} values, and it takes {MOST_VALUES:,} at most; it is made for images, before "
            "all other layers"
        )
    window_shape(shape, kernel, stride=(1, 1), padding=(0, 0), dilation=(1, 1))
    return Whitening(channels, kernel, eps, images)


@final
class Whitening(nn.Conv2d):
    """See `whitening`. `weight` is (2·C·k·k, C, k, k), the eigenvector of the largest eigenvalue first."""

    kept_parameters = ("weight",)
    """Names of parameters that keep what they begin with."""

    def __init__(self, channels: int, kernel: tuple[int, int], eps: float, images: int) -> None:
        super().__init__(channels, 2 * channels * prod(kernel), kernel)
        self.eps = eps
        self.images = images
        self.weight.requires_grad_(False)

    def reset_parameters(self) -> None:
        """An orthogonal basis, drawn at random, and its negatives: what whitens patches that are white."""
        with torch.no_grad():
            basis = nn.init.orthogonal_(torch.empty_like(self.weight[: self.out_channels // 2].flatten(1)))
            self._set(basis)
            assert self.bias is not None
            self.bias.zero_()

    def begin_from(self, inputs: Iterable[Tensor]) -> None:
        """Take the filters from the patches of `inputs`, (n, C, H, W) batch after batch.

        Raises: RequestError where a value of them is not finite, or there is none.
        """
        covariance = _covariance(inputs, self.kernel_size[0], self.kernel_size[1])
        values, vectors = torch.linalg.eigh(covariance)
        basis = _with_signs(vectors.T.flip(0)) / (values.flip(0).clamp(min=0) + self.eps).sqrt()[:, None]
        with torch.no_grad():
            self._set(basis.to(self.weight))

    def _set(self, basis: Tensor) -> None:
        """The filters, from half of them as rows."""
        self.weight.copy_(torch.cat([basis, -basis]).view_as(self.weight))


def _covariance(inputs: Iterable[Tensor], *kernel: int) -> Float[Tensor, "d d"]:
    """The covariance of all patches of all inputs, in float64 on the CPU.

    Raises: RequestError where a value is not finite, or there is no patch.
    """
    count, total, products = 0, torch.zeros(()), torch.zeros(())
    for values in inputs:
        if values.device.type == "mps":  # it has no float64
            values = values.cpu()
        places = (values.shape[2] - kernel[0] + 1) * (values.shape[3] - kernel[1] + 1)
        for some in values.double().split(max(1, PATCHES // places)):
            patches = F.unfold(some, kernel).transpose(1, 2).flatten(0, 1)
            count += len(patches)
            total = total + patches.sum(0).cpu()
            products = products + (patches.T @ patches).cpu()
    if count == 0:
        raise RequestError("no image reaches it, so that its filters cannot be worked out")
    if not torch.isfinite(products).all():
        raise RequestError("what reaches it holds a value that is not finite, so that its filters cannot be worked out")
    mean = total / count
    return products / count - torch.outer(mean, mean)


def _with_signs(rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Each row or its negative, so that its first value of at least half the largest is positive: the same each time.

    An eigenvector has no sign of its own. The largest value would not do: of neighbours that are about equal, with
    opposite signs, rounding would decide.
    """
    large = rows.abs() >= rows.abs().amax(1, keepdim=True) / 2
    first = large.int().argmax(1, keepdim=True)
    return rows * rows.gather(1, first).sign()
