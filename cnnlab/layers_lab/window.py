"""The window that a layer slides over its input: kernel, stride, padding, dilation.

Source: Dumoulin & Visin 2016, arXiv:1603.07285.
"""

from dataclasses import dataclass

from torch import nn

from cnnlab.core.arithmetic import Sliding, transposed_size_formula
from cnnlab.models.layers.local import LocallyConnected2d
from cnnlab.models.layers.pooling import BlurPool2d

Pixels = tuple[int, int]
"""(vertical, horizontal)."""


@dataclass(frozen=True)
class Window:
    """Pairs are (vertical, horizontal), in pixels of the layer's own input."""

    kernel: Pixels
    stride: Pixels
    padding: Pixels
    dilation: Pixels = (1, 1)
    output_padding: Pixels | None = None
    """None unless it is that of a transposed convolution."""

    @property
    def extent(self) -> Pixels:
        """Pixels from its first tap to its last, both included: dilation·(kernel − 1) + 1."""
        vertical, horizontal = (d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        return vertical, horizontal

    def formulas(self, size: Pixels) -> tuple[str, str]:
        """Output height and width for an input of `size` pixels, as the formula with its numbers."""
        vertical, horizontal = (self._formula(axis, size[axis]) for axis in (0, 1))
        return vertical, horizontal

    def _formula(self, axis: int, size: int) -> str:
        kernel, stride, padding = self.kernel[axis], self.stride[axis], self.padding[axis]
        numbers = {"stride": stride, "padding": padding, "dilation": self.dilation[axis]}
        if self.output_padding is None:
            return Sliding(size, kernel, **numbers).formula
        return transposed_size_formula(size, kernel, output_padding=self.output_padding[axis], **numbers)


def window_of(module: nn.Module) -> Window | None:
    """The window of one layer; None for a layer without one, and where its size does not follow the formula."""
    match module:
        case nn.Conv2d(padding=str()) | nn.MaxPool2d(ceil_mode=True) | nn.AvgPool2d(ceil_mode=True):
            return None
        case nn.ConvTranspose2d():
            given = (module.kernel_size, module.stride, module.padding, module.dilation, module.output_padding)
            return Window(*map(_pair, given))
        case nn.Conv2d() | LocallyConnected2d() | nn.MaxPool2d():
            return Window(*map(_pair, (module.kernel_size, module.stride, module.padding, module.dilation)))
        case nn.AvgPool2d() | BlurPool2d():
            return Window(*map(_pair, (module.kernel_size, module.stride, module.padding)))
    return None


def _pair(value: object) -> Pixels:
    """torch keeps what it was given: one number, or two."""
    if isinstance(value, int):
        return value, value
    assert isinstance(value, tuple | list)
    assert len(value) == 2
    return int(value[0]), int(value[1])
