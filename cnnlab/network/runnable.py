"""Whether a network runs at a size of image, and which size is the smallest that works."""

from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.network.network import Network
from cnnlab.network.own import first_channels
from cnnlab.walk.costs import axes_of
from cnnlab.walk.facts import Failure, Walk
from cnnlab.walk.walker import walk, walked

LARGEST = 4096
"""Pixels up to which a size that works is looked for."""
LARGEST_ON_VALUES = 512
"""The same for a network that looks at its values, whose walk takes as long as it does."""


def check_runs(network: Network) -> None:
    """Refuse a network that does not run on its images.

    Raises: RequestError with the layer where it stops, the reason, and the smallest square that works.
    """
    check_ran(network, walked(network.model, network.shape, follow=False))


def check_ran(network: Network, run: Walk) -> None:
    """Refuse a network that did not run on its images in that walk, as `check_runs` does."""
    failure = run.failure
    if failure is None:
        return
    smallest, related = _smallest(network, failure)
    size = "×".join(map(str, network.shape[1:]))
    layer = f"layer '{failure.layer}' ({failure.kind})" if failure.layer else f"the network itself ({failure.kind})"
    if smallest:
        works = f"the smallest square that works is {smallest}"
    elif related or first_channels(network.model) != network.shape[0]:
        works = f"no square up to {LARGEST} works either, with that number of channels ({network.shape[0]})"
    else:
        works = "no other size changes that"
    reason = _reason(network.model, failure)
    raise RequestError(f"{network.name} cannot run on {network.shape[0]}×{size} images: {layer} {reason}; {works}")


def _reason(model: nn.Module, failure: Failure) -> str:
    """The formula where a window does not fit, otherwise torch's own words."""
    module = dict(model.named_modules())[failure.layer]
    shape = failure.inputs[0][1:] if failure.inputs else ()
    short = [axis for axis in axes_of(module, *failure.inputs[:1]) if axis.outputs < 1]
    if short:
        fit = short[0].least_padding
        return f"gets {shape}, too small for its window: {short[0].formula}; padding {fit} would fit"
    got = f"gets {shape}" if shape else "fails"
    return f"{got}: {failure.message}"


def _smallest(network: Network, failure: Failure) -> tuple[int | None, bool]:
    """Find the smallest square, by doubling until one works, then by halves: a walk takes a tenth of a second.

    One on real values takes longer, and is left out where it would tell nothing: the same `failure` has no size.

    Returns: the side, None where there is no such square; whether images that are larger fail in another way, so that
        the failure has to do with the size.
    """
    related = False

    def runs(side: int) -> bool:
        nonlocal related
        square = (network.shape[0], *[side] * (len(network.shape) - 1))
        found = walk(network.model, square, follow=False).failure
        if found is None:
            return True
        same = (found.layer, found.message) == (failure.layer, failure.message)
        related |= not same and side > max(network.shape[1:])
        if same or side > LARGEST_ON_VALUES:
            return False
        return walk(network.model, square, follow=False, on_values=True).failure is None

    high = 1
    while not runs(high):
        high *= 2
        if high > LARGEST:
            # a network that takes one size only
            return next((side for side in (28, 96, 192, 224, 240, 299, 384) if runs(side)), None), related
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if runs(middle) else (middle, high)
    return high, related
