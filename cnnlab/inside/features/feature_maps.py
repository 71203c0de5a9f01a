"""Feature maps: the activations of a layer's channels for a batch of images."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor, nn

from cnnlab.network.forward import capture_outputs
from cnnlab.walk.layouts import Layouts, layouts_of

SPARSE = 0.05
"""A channel is sparse where at most this share of its units is active: one image in twenty, or a twentieth of each.
Sparse is normal (a detector of something rare), dead is not."""


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The output of one layer for a batch, and each channel's numbers over all images and places of the batch.

    A unit is active where its value is above 0: for a layer before its rectifier this says what a rectifier right after
    it would let through.
    """

    layer: str
    maps: Float[Tensor, "n c h w"]
    """Activations in the layer's own units, not rescaled."""
    minimum: Float[Tensor, "c"]
    mean: Float[Tensor, "c"]
    maximum: Float[Tensor, "c"]
    zeros: Float[Tensor, "c"]
    """Share of values that are exactly 0, 0 … 1."""
    active: Float[Tensor, "c"]
    """Share of values above 0, 0 … 1."""

    @property
    def dead(self) -> Bool[Tensor, "c"]:
        """Channels that are never active in this batch. Few images prove little: use hundreds."""
        return self.active == 0

    @property
    def sparse(self) -> Bool[Tensor, "c"]:
        """Channels that are active, but in at most `SPARSE` of their units."""
        return (self.active > 0) & (self.active <= SPARSE)


def feature_maps(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    layers: Sequence[str],
    *,
    layouts: Layouts | None = None,
) -> tuple[FeatureMaps, ...]:
    """The outputs of the named layers with their channels' numbers, in order of `layers`; the model stays as it was.

    `layouts` are the network's for images of this size, where the caller has them.

    Raises: RequestError for a name that is no layer, a layer that did not run, and one whose output is no feature map.
    """
    captured = capture_outputs(model, images, layers)
    layouts = layouts or layouts_of(model, images.shape[1:])
    of_layers = [(name, layouts.of(name)) for name in layers]
    return tuple(_figures(name, layout.maps(captured[name]).float()) for name, layout in of_layers)


def _figures(layer: str, maps: Float[Tensor, "n c h w"]) -> FeatureMaps:
    where = (0, 2, 3)
    return FeatureMaps(
        layer=layer,
        maps=maps,
        minimum=maps.amin(where),
        mean=maps.mean(where),
        maximum=maps.amax(where),
        zeros=(maps == 0).float().mean(where),
        active=(maps > 0).float().mean(where),
    )
