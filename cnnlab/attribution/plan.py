"""How many passes through a network a request takes, known before any of them."""

from collections.abc import Sequence

from cnnlab.attribution.batch import wants_of
from cnnlab.attribution.capture import passes_of
from cnnlab.attribution.integrated_gradients import most_passes
from cnnlab.attribution.methods import Method
from cnnlab.attribution.occlusion import window_starts
from cnnlab.attribution.piece import Batch
from cnnlab.attribution.steps import passes_for

MapSize = tuple[int, int, int]
"""Channels, height and width of a layer's output."""


def batch_passes(batch: Batch, methods: Sequence[Method], sizes: dict[str, MapSize]) -> int:
    """Passes for `methods` together on one batch, at most: what they share counts once."""
    names, count = {method.name for method in methods}, batch.target.count
    total = 1 + passes_of(wants_of(batch, methods), count, len(batch.layers))
    if names & {"gradient", "gradient_x_input"}:
        total += 1 + count
    if names & {"guided_backprop", "guided_gradcam"}:
        total += 1 + count
    return total + sum(_own(batch, method, sizes) for method in methods)


def _own(batch: Batch, method: Method, sizes: dict[str, MapSize]) -> int:
    """What `method` shares with no other, at most: a channel that shows nothing is left out when its turn comes."""
    n, count, most, options = len(batch.images), batch.target.count, batch.max_batch, batch.options
    height, width = batch.images.shape[2:]
    match method.name:
        case "scorecam":
            return sum(passes_for(n * sizes[name][0], most) for name in batch.layers)
        case "ablationcam":
            tried = [name for name in batch.layers if not (batch.heads[name].affine and batch.target.function is None)]
            return sum(passes_for(n * sizes[name][0], most) for name in tried)
        case "reciprocam":
            return sum(passes_for(n * (sizes[name][1] * sizes[name][2] + 1), most) for name in batch.layers)
        case "smoothgrad":
            return passes_for(n * options.samples, most) * (1 + count)
        case "integrated_gradients":
            return most_passes(
                n, count, steps=options.steps, tolerance=options.tolerance, max_steps=options.max_steps, max_batch=most
            )
        case "deconvnet" | "fullgrad":
            return 1 + count
        case "occlusion":
            window, stride = options.window_for(height, width)
            places = len(window_starts(height, window, stride)) * len(window_starts(width, window, stride))
            return passes_for(n * places, most)
        case "rise":
            return passes_for(n * options.masks, most)
        case _:
            return 0
