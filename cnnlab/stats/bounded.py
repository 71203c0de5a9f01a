"""How sure the mean over images is of a measure that has bounds, also where all images are alike.

Where no image differs from the others a bootstrap draws the same mean each time, and its interval has no width, as if
no image could ever differ. What is known is that of n images none does: at most the share w of all images can be
otherwise, w the upper end of Wilson's interval of 0 of n, and each of them lies within the bounds.
"""

from jaxtyping import Float
from torch import Tensor

from cnnlab.stats.confidence import Interval, MeanInterval, bootstrap_mean, wilson_interval


def bounded_mean(values: Float[Tensor, "n"], *, low: float, high: float, seed: int) -> MeanInterval:
    """The mean of one value per image, with its 95 % interval.

    Arguments:
        values: of each image, from `low` to `high`.
        low, high: the least and the most that an image can have.
        seed: of the bootstrap.

    Returns: as `bootstrap_mean`; where two images or more all have one value, the interval that Wilson's allows.

    Raises: ValueError without values, or where one is not finite.

    Example:
        >>> import torch
        >>> found = bounded_mean(torch.zeros(100), low=0.0, high=1.0, seed=0)
        >>> found.mean, found.interval.low, round(found.interval.high, 3)
        (0.0, 0.0, 0.037)
    """
    found = bootstrap_mean(values, seed=seed)
    if found.interval is None or bool((values != values[0]).any()):
        return found
    mean, other = float(values[0]), wilson_interval(0, found.n).high
    return MeanInterval(
        mean, found.deviation, Interval(mean - other * (mean - low), mean + other * (high - mean)), found.n
    )
