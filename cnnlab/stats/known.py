"""Values of repeats of which some are missing: a training that diverged has no accuracy."""

from collections.abc import Sequence

from cnnlab.stats.confidence import MeanInterval, mean_interval


def mean_of_known(values: Sequence[float | None]) -> MeanInterval | None:
    """The mean over what is there; None where nothing is.

    Arguments:
        values: one for each repeat.

    Example:
        >>> mean_of_known([0.5, None, 0.7]).n, mean_of_known([None])
        (2, None)
    """
    known = [value for value in values if value is not None]
    return mean_interval(known) if known else None


def less(first: Sequence[float | None], second: Sequence[float | None]) -> tuple[float | None, ...]:
    """The differences of pairs, None where one of the two is.

    Arguments:
        first, second: one for each repeat.

    Example:
        >>> less([0.75, 0.5], [0.5, None])
        (0.25, None)
    """
    return tuple(
        None if one is None or other is None else one - other for one, other in zip(first, second, strict=True)
    )
