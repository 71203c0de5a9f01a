"""The output-size formula of a sliding window, with its numbers filled in.

Source: Dumoulin & Visin 2016, arXiv:1603.07285; `torch.nn.Conv2d` documentation.

Beside it: which few of many are shown, evenly spaced, where all of them are too many.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from cnnlab.core.characters import formatted
from cnnlab.core.errors import ShapeError

Shape = tuple[int, ...]
"""The shape of one example, without the batch: (channels, height, width) or (features,)."""


@dataclass(frozen=True)
class Sliding:
    """A window that slides along one axis of `size` pixels; all of it in pixels."""

    size: int
    kernel: int
    stride: int = 1
    padding: int = 0
    """Pixels added at each end."""
    dilation: int = 1

    @property
    def outputs(self) -> int:
        """The number of places at which it stops: floor((size + 2·padding − dilation·(kernel − 1) − 1)/stride) + 1."""
        return (self.size + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    @property
    def formula(self) -> str:
        """The formula of `outputs` with its numbers, such as `floor((32 + 2·1 − 1·(3−1) − 1)/2) + 1 = 16`."""
        inner = f"{self.size} + 2·{self.padding} − {self.dilation}·({self.kernel}−1) − 1"
        return f"floor(({inner})/{self.stride}) + 1 = {formatted(self.outputs)}"

    @property
    def least_padding(self) -> int:
        """The least symmetric padding with which the window fits at least once."""
        return max(0, -(-(self.dilation * (self.kernel - 1) + 1 - self.size) // 2))


def transposed_size(
    size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0
) -> int:
    """Outputs of a transposed convolution: (size − 1)·stride − 2·padding + dilation·(kernel − 1) + more + 1, in pixels.

    `output_padding` is the `more`: which of the sizes that a convolution with this stride would make equal.
    """
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1


def transposed_size_formula(
    size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0
) -> str:
    """The formula of `transposed_size` with its numbers, such as `(16 − 1)·2 − 2·1 + 1·(3−1) + 1 + 1 = 32`."""
    numbers = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": output_padding}
    result = transposed_size(size, kernel, **numbers)
    return f"({size} − 1)·{stride} − 2·{padding} + {dilation}·({kernel}−1) + {output_padding} + 1 = {formatted(result)}"


def window_shape(
    shape: Shape,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> tuple[int, int]:
    """Height and width after a window has slid over `shape` = (channels, height, width).

    Raises: ShapeError when the window is larger than the padded image, with the formula and a padding that fits
    along both axes.
    """
    axes = [Sliding(*numbers) for numbers in zip(shape[1:], kernel, stride, padding, dilation, strict=True)]
    for name, axis in zip(("height", "width"), axes, strict=True):
        if axis.outputs < 1:
            spread = f" at dilation {axis.dilation}" if axis.dilation > 1 else ""
            fitting = [max(one.padding, one.least_padding) for one in axes]
            raise ShapeError(
                f"the {name} of its input, {axis.size}, is too small for a kernel of {axis.kernel}{spread}: "
                f"{axis.formula}; padding: {fitting if len(set(fitting)) > 1 else fitting[0]} would fit"
            )
    return axes[0].outputs, axes[1].outputs


T = TypeVar("T")


def evenly(items: Sequence[T], most: int) -> list[T]:
    """Choose at most `most` ≥ 2 of `items`, each once, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]
