"""What class activation maps have in common: a raw map for each layer, from the shared capture."""

from collections.abc import Callable, Iterable

from jaxtyping import Float
from torch import Tensor

from cnnlab.attribution.capture import GradientTarget, LayerCapture
from cnnlab.attribution.maps import principal_map
from cnnlab.attribution.method import Batch, MethodMaps, Steps, Work
from cnnlab.attribution.tail import Tail, noise_for

Factor = Callable[[Tensor, Tensor], Tensor]
"""From activations and gradients (r, k, h, w) to what each channel is multiplied with, (r, k, h, w) or (r, k, 1, 1)."""


def layer_maps(work: Work, of_layer: Callable[[LayerCapture], Steps[Tensor]]) -> Steps[MethodMaps]:
    """The raw map (n, t, h, w) of each layer that is looked at, where that takes passes."""
    maps = []
    for layer in work.capture.layers:
        maps.append((yield from of_layer(layer)))
    return with_notes(work, maps)


def with_notes(work: Work, maps: Iterable[Float[Tensor, "n t _ _"]]) -> MethodMaps:
    """The maps of the layers, and a note for one that runs several times."""
    notes = tuple(
        f"'{layer.name}' runs {layer.calls} times in one pass; its last output was used"
        for layer in work.capture.layers
        if layer.calls > 1
    )
    return MethodMaps(tuple(maps), notes=notes)


def factored_maps(work: Work, want: GradientTarget, factor: Factor, *, eigen: bool = False) -> MethodMaps:
    """Σ_k factor_k · A_k at each layer, with the gradients of `want`.

    With `eigen`, or where the batch asks for it, the first principal component of the products.
    """
    batch, t = work.batch, work.batch.target.count

    def of_layer(layer: LayerCapture) -> Float[Tensor, "n t h w"]:
        repeated = repeated_for(layer, t)
        weights = factor(repeated, layer.gradients[want].flatten(0, 1))
        return by_target(weighted_map(repeated, weights, eigen=eigen or batch.eigen), t)

    return with_notes(work, map(of_layer, work.capture.layers))


def channel_maps(batch: Batch, layer: LayerCapture, weights: Float[Tensor, "n t k"]) -> Float[Tensor, "n t h w"]:
    """Σ_k w_k · A_k at one layer, for weights of whole channels."""
    t = batch.target.count
    factor = weights.flatten(0, 1)[..., None, None]
    return by_target(weighted_map(repeated_for(layer, t), factor, eigen=batch.eigen), t)


def repeated_for(layer: LayerCapture, t: int) -> Float[Tensor, "r k h w"]:
    """The activations once for each of t targets."""
    return layer.activations if t == 1 else layer.activations.repeat_interleave(t, 0)


def by_target(maps: Float[Tensor, "r h w"], t: int) -> Float[Tensor, "n t h w"]:
    """Rows n · t as n images with t targets each."""
    return maps.reshape(-1, t, *maps.shape[1:])


def weighted_map(activations: Float[Tensor, "r k h w"], factor: Float[Tensor, "r k _ _"], *, eigen: bool = False) -> (
    Float[Tensor, "r h w"]
):  # fmt: skip
    """Σ_k factor_k · A_k; with `eigen` the first principal component of the products: what they have in common."""
    if not eigen and factor.shape[2:] == (1, 1):
        # as a product of matrices, which needs no room for the products
        return (factor.flatten(1)[:, None] @ activations.flatten(2)).reshape(-1, *activations.shape[2:])
    products = factor * activations
    return principal_map(products) if eigen else products.sum(1)


def tail_behind(batch: Batch, layer: LayerCapture) -> Tail:
    """The network after the layer, for the batch's images."""
    closed = batch.heads[layer.name].closed
    stem = noise_for(batch.images) if closed else None
    assert batch.layouts is not None
    return Tail(batch.model, layer.name, batch.layouts.of(layer.name), layer.calls, batch.images, stem, layer.beside)
