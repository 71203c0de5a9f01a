"""A convolution as the dense layer that it is: one matrix, most of it zeros, its weights repeated in every row.

With the image flattened to x (channels, then rows, then columns) and the output to y, a convolution is y = M·x. Row
(o, i, j) of M holds w[o, c, u, v] at column (c, s·i + d·u − p, s·j + d·v − p) and zeros elsewhere: with one channel and
stride 1 a matrix of Toeplitz blocks that is itself block Toeplitz. Locality is where the zeros are, weight sharing that
the same numbers stand in all rows. Source: Dumoulin & Visin 2016, arXiv:1603.07285, section 4.1.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from cnnlab.core.arithmetic import Shape, window_shape
from cnnlab.core.errors import RequestError, ShapeError

MOST_ENTRIES = 2**26
"""Entries of a matrix that is made: half a gigabyte in float64."""


@dataclass(frozen=True, eq=False)
class ConvolutionMatrix:
    """The matrix of a convolution, and which weight stands at each of its entries."""

    matrix: Float[Tensor, "outputs inputs"]
    which: Int[Tensor, "outputs inputs"]
    """The number of the weight, from 0 in the order of the flattened filters; −1 where nothing is read."""
    input: Shape
    """(channels, height, width) of the image."""
    output: Shape
    """(filters, height, width) of what comes out."""
    weights: int
    """Numbers that are free: those of the filters."""

    @property
    def entries(self) -> int:
        """The weights that a dense layer of the same shapes has."""
        return self.matrix.numel()

    @cached_property
    def connections(self) -> int:
        """Entries at which an output reads an input: the weights of the locally connected layer."""
        return int((self.which >= 0).sum())

    @property
    def zeros(self) -> int:
        """Entries that are 0 whatever the weights are."""
        return self.entries - self.connections

    @property
    def zero_share(self) -> float:
        """Of all entries, 0 … 1."""
        return self.zeros / self.entries

    @cached_property
    def uses(self) -> Int[Tensor, "weights"]:
        """How many entries each weight fills: at most the output's pixels, fewer where the border cuts it off."""
        return torch.bincount(self.which[self.which >= 0], minlength=self.weights)

    def __call__(self, image: Float[Tensor, "c h w"]) -> Float[Tensor, "o i j"]:
        """Multiply the flattened image, which is the convolution of it."""
        return (self.matrix @ image.to(self.matrix).flatten()).reshape(self.output)


def convolution_matrix(
    weight: Float[Tensor, "o c kh kw"],
    size: tuple[int, int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> ConvolutionMatrix:
    """Write a convolution (as in every framework a cross-correlation, padded with zeros) as a dense matrix.

    Arguments:
        weight: the filters as torch stores them: (filters, channels of a group, height, width).
        size: (height, width) of the image in pixels.
        stride: pixels from one output to the next; two numbers are (vertical, horizontal), here and below.
        padding: zeros on each side, in pixels.
        dilation: pixels from one tap to the next.
        groups: bundles of channels that do not see each other.

    Returns:
        The matrix (filters·height'·width', channels·height·width) in the precision of `weight`, without a bias.

    Raises:
        RequestError: for weights of another shape, a kernel that does not fit, filters that the groups do not divide,
            and a matrix that is too large.

    Example:
        >>> made = convolution_matrix(torch.tensor([[[[1.0, 2.0, 3.0]]]]), (1, 5), stride=2)
        >>> made.matrix.tolist()
        [[1.0, 2.0, 3.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0, 3.0]]
        >>> made.entries, made.connections, made.zeros, made.weights, made.uses.tolist()
        (10, 6, 4, 3, [2, 2, 2])
    """
    if weight.dim() != 4:
        shape = " × ".join(map(str, weight.shape)) or "a single number"
        raise RequestError(f"`weight` is {shape}, expected filters × channels × height × width, as torch stores them")
    filters, seen, *kernel = weight.shape
    strides, pads, dilations = (_pair(one) for one in (stride, padding, dilation))
    if groups < 1 or filters % groups:
        raise RequestError(f"`groups` is {groups}, which does not divide the {filters} filters")
    channels = seen * groups
    try:
        height, width = window_shape(
            (channels, *size), (kernel[0], kernel[1]), stride=strides, padding=pads, dilation=dilations
        )
    except ShapeError as error:
        raise RequestError(f"`weight`: {error}") from error
    rows, columns = filters * height * width, channels * size[0] * size[1]
    if rows * columns > MOST_ENTRIES:
        raise RequestError(
            f"`size`: the matrix would have {rows:,} × {columns:,} entries, {MOST_ENTRIES:,} at most; take a smaller "
            "image"
        )
    # each input's column from 1 on, so that 0 is the padding's
    places = F.pad(torch.arange(1, columns + 1).reshape(channels, *size), (pads[1], pads[1], pads[0], pads[0]))
    down = strides[0] * torch.arange(height)[:, None] + dilations[0] * torch.arange(kernel[0])
    across = strides[1] * torch.arange(width)[:, None] + dilations[1] * torch.arange(kernel[1])
    windows = places[:, down[:, None, :, None], across[None, :, None, :]].permute(1, 2, 0, 3, 4)
    numbers = torch.arange(weight.numel()).reshape(filters, -1)
    which = torch.full((filters, height, width, columns + 1), -1)
    for o in range(filters):
        first = o // (filters // groups) * seen  # of its group's channels
        read = windows[:, :, first : first + seen].flatten(2)
        which[o].scatter_(2, read, numbers[o].expand_as(read))
    which = which[..., 1:]
    which = which.reshape(rows, columns)
    values = torch.cat([weight.detach().flatten(), weight.new_zeros(1)])  # −1 is its last, a zero
    return ConvolutionMatrix(values[which], which, (channels, *size), (filters, height, width), weight.numel())


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
