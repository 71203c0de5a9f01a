"""Baselines: what counts as nothing, for methods that compare an image with it."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias, get_args

import torch
from jaxtyping import Float
from pydantic import PlainValidator, WithJsonSchema
from torch import Tensor

from cnnlab.attribution.method import Batch
from cnnlab.core.errors import RequestError, did_you_mean

BaselineName: TypeAlias = Literal["zero", "black", "white", "mean", "blur", "noise"]
NAMED_BASELINES: tuple[str, ...] = get_args(BaselineName)

BLUR = 10
"""The standard deviation of the blur is the image's shorter side, divided by this."""


def _read(value: object) -> object:
    """A word, a number or a tensor.

    Raises: ValueError for anything else.
    """
    if isinstance(value, Tensor):
        if not value.is_floating_point() or not bool(value.isfinite().all()):
            raise ValueError(f"is a tensor of {value.dtype}, expected finite floating-point numbers")
        return value
    if isinstance(value, str) and str(value) in NAMED_BASELINES:
        return str(value)
    expected = f"expected {', '.join(NAMED_BASELINES)}, or a finite number"
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        guess = did_you_mean(value, NAMED_BASELINES) if isinstance(value, str) else ""
        shown = f"'{value}'" if isinstance(value, str) else type(value).__name__
        raise ValueError(f"is {shown}, {expected}{'.' if guess else ''}{guess}") from None
    if not math.isfinite(number):
        raise ValueError(f"is '{value}', {expected}")
    return number


Baseline: TypeAlias = Annotated[
    Any, PlainValidator(_read), WithJsonSchema({"anyOf": [{"enum": list(NAMED_BASELINES)}, {"type": "number"}]})
]
"""Values in the network's own units, after normalisation: `zero` (the mean colour of the training images where they
are normalised by it) or another number; `mean`, each image's own mean colour; `blur`, the image blurred; `noise`,
normal noise with each channel's mean and standard deviation in the image. `black` and `white` are colours of the image
before normalisation. In Python a tensor, too, which broadcasts against the images."""

MEANING = (
    "What counts as nothing: zero (the mean colour, where images are normalised), a number (after normalisation), "
    "black, white, mean (of each image), blur or noise."
)


def baseline_of(batch: Batch, baseline: BaselineName | float | Tensor) -> Float[Tensor, "n c h w"]:
    """The baseline of each image of the batch, in the network's own units.

    Raises: RequestError for black and white where nobody has said how images are normalised, and for a tensor that does
    not fit the images.
    """
    images = batch.images
    if isinstance(baseline, Tensor):
        return _fitted(batch, baseline)
    if isinstance(baseline, int | float):
        return torch.full_like(images, baseline)
    return _NAMED[baseline](batch)


def _colour(batch: Batch, word: Literal["black", "white"]) -> Tensor:
    if batch.pixels is None:
        raise RequestError(
            f"baseline: {word} is a colour of images before normalisation, and nothing says how these were normalised; "
            "expected pixels=PixelRange(black, white), or a baseline such as zero, mean or blur"
        )
    colour = batch.pixels.black if word == "black" else batch.pixels.white
    return colour.to(batch.images).reshape(-1, 1, 1).expand_as(batch.images)


def _blurred(batch: Batch) -> Tensor:
    from torchvision.transforms.v2.functional import gaussian_blur

    height, width = batch.images.shape[2:]
    sigma = min(height, width) / BLUR
    # reflected at the borders, which needs a kernel that is narrower than the image
    sides = [min(2 * math.ceil(3 * sigma) + 1, 2 * side - 1) for side in (width, height)]
    blurred: Tensor = gaussian_blur(batch.images, sides, [sigma, sigma])
    return blurred


def _noise(batch: Batch) -> Tensor:
    """Draw one noise for every image, so that no result depends on which images go through together."""
    images = batch.images
    draws = torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(batch.seed)).to(images)
    centre = images.mean((2, 3), keepdim=True)
    return centre + draws * (images - centre).square().mean((2, 3), keepdim=True).sqrt()


_NAMED: dict[BaselineName, Callable[[Batch], Tensor]] = {
    "zero": lambda batch: torch.zeros_like(batch.images),
    "black": lambda batch: _colour(batch, "black"),
    "white": lambda batch: _colour(batch, "white"),
    "mean": lambda batch: batch.images.mean((2, 3), keepdim=True).expand_as(batch.images),
    "blur": _blurred,
    "noise": _noise,
}


def _fitted(batch: Batch, baseline: Tensor) -> Tensor:
    if baseline.dim() == 4 and len(baseline) == batch.of:
        baseline = baseline[batch.first : batch.first + len(batch.images)]
    try:
        return baseline.to(batch.images).expand_as(batch.images)
    except RuntimeError:
        raise RequestError(
            f"baseline: is a tensor of shape {tuple(baseline.shape)}, which does not broadcast against images of shape "
            f"{tuple(batch.images.shape)}"
        ) from None
