"""Options that are ranges, written `[low, high]`."""

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import PositiveNumber, Probability

PositiveRange = tuple[PositiveNumber, PositiveNumber]
Share = tuple[Probability, Probability]


def checked(augmentation: str, option: str, bounds: tuple[float, float]) -> tuple[float, float]:
    """`bounds` as they are.

    Raises: RequestError when the lower is above the upper.
    """
    low, high = bounds
    if low > high:
        raise RequestError(
            f"{augmentation}: {option} goes from {low} to {high}; write the smaller first: [{high}, {low}]"
        )
    return bounds
