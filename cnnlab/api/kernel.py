"""One kernel on one image, from Python: `cnnlab.kernel`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.api.question import Questions, last, prepared
from cnnlab.api.result import Result, plain
from cnnlab.api.untouched import untouched
from cnnlab.core.errors import RequestError
from cnnlab.layers_lab.kernel.borders import border_of
from cnnlab.layers_lab.kernel.report import kernel_json, kernel_report
from cnnlab.layers_lab.kernel.run import KernelFacts, kernel_facts
from cnnlab.layers_lab.kernel.subject import Subject, in_network, kernel_of, matrix_kernel, on_image
from cnnlab.network.given_images import GivenImage, sources_of
from cnnlab.view.blocks import Report

GivenKernel: TypeAlias = str | Sequence[Sequence[Any]] | NDArray[Any] | Tensor
"""A name with its options, rows of numbers as text, or the numbers themselves, (height, width)."""


@dataclass(frozen=True, eq=False, repr=False)
class KernelOnImage(Result):
    """What a kernel does to an image."""

    document_name: ClassVar[str] = "kernel.json"

    facts: KernelFacts

    @property
    def weights(self) -> Float[Tensor, "c kh kw"]:
        """Of the kernel, as they are applied by cross-correlation."""
        return self.facts.subject.weights

    @property
    def correlation(self) -> Float[Tensor, "i j"]:
        """The kernel slid over the image as it is, in the unit of weight × pixel (0 … 1)."""
        return self.facts.directions.correlation

    @property
    def convolution(self) -> Float[Tensor, "i j"]:
        """The kernel turned by 180° and slid over the image."""
        return self.facts.directions.convolution

    @property
    def borders(self) -> dict[str, Tensor]:
        """The correlation with each border."""
        return {way.border: way.output for way in self.facts.borders.ways}

    @property
    def agree(self) -> bool:
        """Whether loops, im2col, FFT and torch give the same numbers, to 1e-5 of the largest."""
        return self.facts.crop.agree and self.facts.whole.agree

    @cached_property
    def report(self) -> Report:
        """The kernel, correlation and convolution, the borders, and four ways to compute it."""
        return kernel_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """What `cnnlab kernel --json` prints."""
        return plain(kernel_json(self.facts))


def kernel(what: GivenKernel, image: GivenImage, *, border: str = "zero") -> KernelOnImage:
    """Slide a kernel over an image: correlation and true convolution, every border, and four ways to compute it.

    Arguments:
        what: a kernel's name with its options, `"gaussian:sigma=2"` (`cnnlab list kernels`); rows of numbers,
            `"1 0 -1; 2 0 -2; 1 0 -1"`; or the numbers as an array, a tensor or lists, (height, width). For a filter of
            a network there is `kernel` of an opened one.
        image: a path, an image of pillow's, or bytes as an array (h, w, 3) or a tensor (c, h, w); its brightness is
            taken.
        border: what lies outside where correlation and convolution are compared: `zero`, `reflect`, `replicate`,
            `circular`; or `valid`, for no padding.

    Returns:
        The outputs, their differences, and how long each way takes.

    Raises:
        RequestError: for a kernel that is none, or larger than the image, and an image that cannot be read.

    Example:
        >>> import cnnlab, numpy as np
        >>> image = np.zeros((16, 16), np.uint8); image[:, 8:] = 255
        >>> found = cnnlab.kernel("sobel_x", image, border="replicate")
        >>> float(found.correlation.max()), bool((found.convolution == -found.correlation).all()), found.agree
        (4.0, True, True)
    """
    with untouched():
        made = kernel_of(what) if isinstance(what, str) else matrix_kernel(_numbers(what))
        (source, *more) = sources_of(image)
        if more:
            raise RequestError(f"`image` has {1 + len(more)} images; a kernel is shown on one")
        return _slid(on_image(made, source), border)


class Kernels(Questions):
    """What can be asked of one filter of a network."""

    def kernel(
        self, image: GivenImage, *, layer: str | None = None, channel: int = 0, border: str = "zero"
    ) -> KernelOnImage:
        """Slide one filter over what its layer gets to see of an image; of hand-made kernels it is `cnnlab.kernel`.

        Arguments:
            image: as of `predict`, one.
            layer: the convolution; by default the first.
            channel: the filter's number, from 0.
            border: what lies outside where correlation and convolution are compared: `zero`, `reflect`, `replicate`,
                `circular`; or `valid`, for no padding.

        Returns:
            The outputs, their differences, and how long each way to compute them takes.

        Raises:
            RequestError: for a layer that is no convolution, a filter that is not there, and an image that cannot be
                read.

        Example:
            >>> import cnnlab, numpy as np
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
            >>> net.kernel(np.zeros((48, 64, 3), np.uint8), channel=5).weights.shape
            torch.Size([3, 3, 3])
        """
        with self._asked() as network:
            images, _ = prepared(network, image)
            if len(images) != 1:
                raise RequestError(f"`image` has {len(images)} images; a kernel is shown on one")
            return _slid(in_network(network, images[0], layer, channel), border)


def _slid(subject: Subject, border: str) -> KernelOnImage:
    return KernelOnImage(last(kernel_facts(subject, border=border_of(border))))


def _numbers(what: Sequence[Sequence[Any]] | NDArray[Any] | Tensor) -> Tensor:
    if isinstance(what, Tensor):
        return what.detach().cpu().float()
    try:
        return torch.from_numpy(np.array(what, dtype=np.float64))
    except (TypeError, ValueError):
        raise RequestError("`what` is no matrix of numbers: expected rows of the same length") from None
