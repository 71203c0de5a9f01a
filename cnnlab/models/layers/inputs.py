"""What a layer asks of the shape that comes in."""

from math import gcd

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import ShapeError


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
