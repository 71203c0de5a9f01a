"""The arithmetic of layers, counted and measured: `layer`, `compare-layers`, `summary`, `cost`."""

from typing import TYPE_CHECKING

from cnnlab.core.lazy import lazily

if TYPE_CHECKING:
    from cnnlab.layers_lab.toeplitz import ConvolutionMatrix, convolution_matrix
else:
    __getattr__, __dir__ = lazily(
        __name__, {name: f"{__name__}.toeplitz:{name}" for name in ("ConvolutionMatrix", "convolution_matrix")}
    )

__all__ = ["ConvolutionMatrix", "convolution_matrix"]
