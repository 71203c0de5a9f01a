"""What a layer asks of the shape that comes in, and its padding: "same" or a number of pixels, and what goes there.

Source: Dumoulin & Visin 2016, arXiv:1603.07285, section 2 ("half" padding).
"""

from math import gcd
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, TypeAdapter, ValidationError, WithJsonSchema

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import ShapeError
from cnnlab.core.quantities import PaddingPair


def image(shape: Shape) -> tuple[int, int, int]:
    """`shape` as (channels, height, width).

    Raises: ShapeError when it is flat.
    """
    if len(shape) != 3:
        raise ShapeError(
            f"it needs (channels, height, width), its input is {shape}; "
            "put it before the layer that makes the input flat (such as flatten or global_avg_pool)"
        )
    return shape[0], shape[1], shape[2]


def flat(shape: Shape) -> int:
    """The number of features of a flat `shape`.

    Raises: ShapeError when it is not flat, with what to put before.
    """
    if len(shape) != 1:
        channels, height, width = image(shape)
        raise ShapeError(
            f"it needs a flat input, its input is {shape}; put 'global_avg_pool' ({channels} features) "
            f"or 'flatten' ({channels * height * width} features) before it"
        )
    return shape[0]


def check_groups(groups: int, channels: int, outputs: int | None = None) -> None:
    """Refuse a number of groups that does not divide the channels that come in, and those that go out if given.

    Raises: ShapeError with the numbers that would do.
    """
    given = [f"{count} {side} channels" for count, side in ((channels, "input"), (outputs, "output")) if count]
    missed = [text for text in given if int(text.split(" ", 1)[0]) % groups]
    if missed:
        common = gcd(channels, outputs or channels)
        fits = [str(n) for n in range(1, common + 1) if common % n == 0]
        known = ", ".join(fits) if len(fits) <= 12 else ", ".join([*fits[:10], "…", fits[-1]])
        raise ShapeError(f"groups: {groups} does not divide its {' and its '.join(missed)}; these do: {known}")


def check_several(values: int, what: str) -> None:
    """Refuse to normalise a single value: it minus its own mean is always 0.

    Raises: ShapeError.
    """
    if values == 1:
        raise ShapeError(f"{what} is a single value, and a value minus its own mean is always 0; use 'none' here")


PaddingMode = Literal["zero", "reflect", "replicate", "circular"]
"""What lies outside the image: zeros, its mirror image without the edge, its edge, or its other side."""

TORCH_MODES = {"zero": "zeros", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def word_or(word: str, quantity: Any, expected: str) -> PlainValidator:
    """The reading of an option that is `word` or a `quantity`; `expected` says both in words, for what is neither."""
    adapter: TypeAdapter[Any] = TypeAdapter(quantity)

    def read(value: Any) -> Any:
        if value == word:
            return word
        try:
            return adapter.validate_python(value)
        except ValidationError:
            raise ValueError(f"{expected} expected, not '{value}'") from None

    return PlainValidator(read)


Padding = Annotated[
    Literal["same"] | tuple[int, int],
    word_or("same", PaddingPair, "'same', a number of pixels, or two ([vertical, horizontal]) are"),
    WithJsonSchema({"anyOf": [{"const": "same"}, *TypeAdapter(PaddingPair).json_schema()["anyOf"]]}),
]
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
