"""What `cnnlab kernel` is about: a kernel, by name, in numbers or out of a network, and the image it slides over."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from cnnlab.core.characters import printable
from cnnlab.core.errors import ConfigError, RequestError, WorkError, did_you_mean
from cnnlab.core.named import names_with_options
from cnnlab.core.registry import component
from cnnlab.layers_lab.matrix import matrix_of
from cnnlab.models.filters import convolution_filters
from cnnlab.models.kernels import KERNELS
from cnnlab.models.undisturbed import observe
from cnnlab.network.image_files import Source
from cnnlab.network.network import Network
from cnnlab.network.prepared_images import ExplainedImage

MOST_PIXELS = 2**20
"""Larger images are made smaller: a million pixels show all there is to see."""

LARGEST = 1e37
"""Of the sum that an output is: below the largest number of single precision, its differences among them."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One kernel and what it slides over."""

    kernel: str
    """Its name, as in a title."""
    weights: Float[Tensor, "c kh kw"]
    """As they are applied, by cross-correlation."""
    image: str
    """The image's name."""
    pixels: UInt8[Tensor, "_ h w"]
    """The image, to be looked at: in grey or in colour."""
    values: Float[Tensor, "c i j"]
    """What the kernel slides over …"""
    what: str
    """… in words, with its unit."""
    remarks: tuple[str, ...] = ()
    """What was done to the image, or left out of the layer."""

    def __post_init__(self) -> None:
        for what, side, k in zip(("rows", "columns"), self.values.shape[1:], self.weights.shape[1:], strict=True):
            if k > side:
                raise RequestError(
                    f"the kernel {self.kernel} is {_size(self.weights)} and {self.image} has {side} {what}: take a "
                    "smaller kernel, or a larger image"
                )
        if not bool(self.weights.isfinite().all() and self.values.isfinite().all()):
            raise WorkError(f"{self.kernel} or what it is given is NaN or infinite: the weights diverged")
        if float(self.weights.double().abs().sum() * self.values.double().abs().max()) > LARGEST:
            raise RequestError(f"the kernel {self.kernel} is too large for outputs in single precision; scale it down")


def is_matrix(text: str) -> bool:
    """Whether the text is meant as numbers: it begins with one, or has rows."""
    word = re.split(r"[\s;,/]", text.strip(), maxsplit=1)[0]
    return ";" in text or re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", word, re.IGNORECASE) is not None


def is_kernel(text: str) -> bool:
    """Whether the text begins with the name of a kernel, or with numbers."""
    return is_matrix(text) or re.split("[:,]", text)[0].strip() in KERNELS


def is_of_a_network(text: str, runs: Path) -> bool:
    """Whether the text names a network rather than a kernel: neither numbers nor a word that is no run and no file.

    Arguments:
        text: as a person writes it.
        runs: the folder that holds the runs.
    """
    name, _, options = text.partition(":")
    if is_kernel(text):
        return False
    plain = re.fullmatch(r"\s*\w+\s*", name) is not None and (not options or "=" in options)
    return not plain or (runs / text).exists() or Path(text).exists()


def kernel_of(text: str) -> tuple[str, Float[Tensor, "kh kw"]]:
    """A kernel by name or in numbers.

    Arguments:
        text: `sobel_x`, `gaussian:sigma=2`, or rows of numbers such as `1 0 -1; 2 0 -2; 1 0 -1`.

    Returns:
        Its title, and the weights (height, width) in float32.

    Raises:
        RequestError: for a name that is no kernel, an option that it has not or that is out of range, and for rows of
            different lengths or with a word that is no number.

    Example:
        >>> kernel_of("sobel_x")[1].tolist()
        [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]
        >>> kernel_of("1 0 -1; 2 0 -2")[0]
        'the matrix 2 × 3'
    """
    if is_matrix(text):
        return matrix_kernel(matrix_of(text, "the kernel"))
    (name, options), *more = names_with_options(text, "the kernel", "kernel")
    if more:
        raise RequestError(f"the kernel is '{text}', which names {1 + len(more)} kernels; one is looked at")
    if name not in KERNELS:
        near = did_you_mean(name, [entry.name for entry in KERNELS])
        raise RequestError(f"no kernel and no network '{printable(name)}'.{near} All kernels: cnnlab list kernels")
    try:
        made = component("kernel", name, **options)
        weights = made.build()
    except ConfigError as error:
        raise RequestError(*(f"kernel {name}: {problem.message}" for problem in error.problems)) from None
    except RequestError as error:
        raise RequestError(f"kernel {name}: {error}") from None
    return text, torch.from_numpy(np.ascontiguousarray(weights)).float()


def matrix_kernel(matrix: Float[Tensor, "kh kw"]) -> tuple[str, Float[Tensor, "kh kw"]]:
    """A kernel that is given in numbers, with its title.

    Raises: RequestError where it has no rows, is too large, or is not finite.
    """
    if matrix.dim() != 2 or not matrix.numel():
        raise RequestError(f"the kernel has the shape {tuple(matrix.shape)}, expected rows and columns of numbers")
    if not bool(matrix.isfinite().all()):
        raise RequestError("the kernel has a number that is not finite")
    return f"the matrix {_size(matrix)}", matrix.float()


def _size(weights: Tensor) -> str:
    return f"{weights.shape[-2]} × {weights.shape[-1]}"


def on_image(kernel: tuple[str, Float[Tensor, "kh kw"]], source: Source) -> Subject:
    """A kernel of one channel and the brightness of an image.

    Arguments:
        kernel: its title and weights.
        source: the image; colours become brightness, transparent parts lie on white.

    Returns:
        The two, an image of more than a million pixels made smaller.

    Raises:
        RequestError: for an image that cannot be read, or is smaller than the kernel.
    """
    title, weights = kernel
    values = source.read(1).float() / 255
    height, width = values.shape[1:]
    remarks: tuple[str, ...] = ()
    if height * width > MOST_PIXELS:
        share = (MOST_PIXELS / (height * width)) ** 0.5
        size = max(1, int(height * share)), max(1, int(width * share))
        values = F.interpolate(values[None], size, mode="bilinear", antialias=True)[0].clamp(0, 1)
        remarks = (f"{height} × {width} pixels were made {size[0]} × {size[1]}.",)
    pixels = (255 * values).round().to(torch.uint8)
    return Subject(title, weights[None], source.name, pixels, values, "its brightness, 0 … 1", remarks)


def in_network(network: Network, image: ExplainedImage, layer: str | None, channel: int) -> Subject:
    """A filter of a network's convolution, and what the layer gets to see of an image.

    Arguments:
        network: opened for images, on the CPU.
        image: prepared for it.
        layer: the convolution's name; by default the first.
        channel: the filter's number, from 0.

    Returns:
        The filter (channels of its group, height, width), spread by the layer's dilation, and the layer's input.

    Raises:
        RequestError: for a layer that is no convolution or does not run, a filter that is not there, and an input that
            is smaller than the filter.
    """
    name, filters = convolution_filters(network.model, layer)
    if channel >= len(filters):
        raise RequestError(f"`channel` is {channel}: layer '{name}' has {len(filters)} filters, from 0")
    module = network.model.get_submodule(name)
    assert isinstance(module, nn.Conv2d)
    taken: list[Tensor] = []
    with observe(network.model, lambda _, __, inputs, ___: taken.append(inputs[0].detach()), layers=[name]):
        network.model(network.preparation.inputs(image.pixels[None].to(network.device)))
    if not taken:
        raise RequestError(f"layer '{name}' does not run for this image; name another with `layer`")
    seen = filters.shape[1]
    first = channel // (len(filters) // module.groups) * seen
    values = taken[0].reshape(-1, *taken[0].shape[-3:])[0, first : first + seen].float().cpu()
    group = f" (channels {first} to {first + seen - 1})" if module.groups > 1 else ""
    return Subject(
        f"filter {channel} of {name} of {printable(network.name)}",
        spread(filters[channel], (int(module.dilation[0]), int(module.dilation[1]))),
        image.name,
        image.pixels,
        values,
        f"the input of {name}, {'1 channel' if seen == 1 else f'{seen} channels'}{group}",
        _left_out(module),
    )


def _left_out(module: nn.Conv2d) -> tuple[str, ...]:
    """What of a layer is not its filter, in a sentence."""
    parts = [f"stride {module.stride[0]} × {module.stride[1]}"] if set(module.stride) != {1} else []
    parts += ["padding"] if module.padding not in ("valid", (0, 0)) else []
    parts += ["bias"] if module.bias is not None else []
    return (f"The layer's {', '.join(parts)} is left out: the filter alone is looked at.",) if parts else ()


def spread(weights: Float[Tensor, "c kh kw"], dilation: tuple[int, int]) -> Float[Tensor, "c _ _"]:
    """The filter with the zeros that `dilation` puts between its taps."""
    channels, rows, columns = weights.shape
    wide = weights.new_zeros(channels, dilation[0] * (rows - 1) + 1, dilation[1] * (columns - 1) + 1)
    wide[:, :: dilation[0], :: dilation[1]] = weights
    return wide
