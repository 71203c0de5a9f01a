"""Padding: "same" or a number of pixels, and what goes there.

Source: Dumoulin & Visin 2016, arXiv:1603.07285, section 2 ("half" padding).
"""

from typing import Annotated, Any, Literal

from pydantic import PlainValidator, TypeAdapter, ValidationError, WithJsonSchema

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import ShapeError
from cnnlab.core.quantities import PaddingPair

PaddingMode = Literal["zero", "reflect", "replicate", "circular"]
"""What lies outside the image: zeros, its mirror image without the edge, its edge, or its other side."""

TORCH_MODES = {"zero": "zeros", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}

_PIXELS: TypeAdapter[tuple[int, int]] = TypeAdapter(PaddingPair)
_SCHEMA = {
    "anyOf": [
        {"const": "same"},
        {"type": "integer", "minimum": 0},
        {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2},
    ]
}


def _read(value: Any) -> Any:
    if value == "same":
        return "same"
    try:
        return _PIXELS.validate_python(value)
    except ValidationError:
        message = f"'same', a number of pixels, or two ([vertical, horizontal]) are expected, not '{value}'"
        raise ValueError(message) from None


Padding = Annotated[Literal["same"] | tuple[int, int], PlainValidator(_read), WithJsonSchema(_SCHEMA)]
"""(vertical, horizontal) in pixels on each side; one number stands for both; "same" keeps the size at stride 1."""


def pixels(
    padding: Literal["same"] | tuple[int, int], kernel: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int]:
    """`padding` as (vertical, horizontal) pixels on each side; "same" is dilation·(kernel − 1)/2.

    Raises: ShapeError where that is no whole number (an even kernel at an odd dilation): no padding that is equal on
    both sides keeps the size then, and more on one side would shift the image by half a pixel.
    """
    if isinstance(padding, tuple):
        return padding
    for k, d in zip(kernel, dilation, strict=True):
        if d * (k - 1) % 2:
            raise ShapeError(
                f"padding: same is dilation·(kernel − 1)/2 = {d}·({k}−1)/2, no whole number for the even kernel {k}; "
                f"take an odd kernel, or give a number (padding: 0 where the windows lie side by side)"
            )
    return dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2


def check_mode(shape: Shape, padding: tuple[int, int], mode: PaddingMode) -> None:
    """Refuse a padding for which an image of `shape` has too few pixels to mirror or to wrap around.

    Raises: ShapeError with the least size and the modes without a limit.
    """
    if mode not in ("reflect", "circular"):
        return
    for axis, name in enumerate(("height", "width")):
        size, pad = shape[axis + 1], padding[axis]
        least = pad + 1 if mode == "reflect" and pad else pad
        if size < least:
            raise ShapeError(
                f"{mode} padding of {pad} needs a {name} of at least {least}, its input has {size}; "
                f"'padding_mode: zero' and 'padding_mode: replicate' have no such limit"
            )
