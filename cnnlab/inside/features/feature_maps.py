"""Feature maps: the activations of a layer's channels for a batch of images, and how active each channel is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from cnnlab.network.forward import capture_outputs
from cnnlab.walk.layouts import Layouts, layouts_of

SPARSE = 0.05
"""A channel is sparse where at most this share of its units is active: one image in twenty, or a twentieth of each.
Sparse is normal (a detector of something rare), dead is not."""


@dataclass(frozen=True, eq=False)
class LayerNumbers:
    """Each channel of a layer over all images and places; in the layer's own units, shares 0 … 1.

    A unit is active where its value is above 0: for a layer before its rectifier this says what a rectifier right after
    it would let through.
    """

    layer: str
    size: tuple[int, int]
    """Height and width of the maps, in units."""
    pictures: int
    """Images …"""
    minimum: Float64[Tensor, "c"]
    mean: Float64[Tensor, "c"]
    maximum: Float64[Tensor, "c"]
    zeros: Float64[Tensor, "c"]
    """Share of values that are exactly 0."""
    active: Float64[Tensor, "c"]
    """Share of values above 0."""

    @property
    def dead(self) -> tuple[int, ...]:
        """Channels that are never active. Few images prove little: use hundreds."""
        return tuple((self.active == 0).nonzero().flatten().tolist())

    @property
    def sparse(self) -> tuple[int, ...]:
        """Channels that are active, but in at most `SPARSE` of their units."""
        active = self.active.float()  # as the shares of a batch are: 1 in 20 of them is above 0.05 in double precision
        return tuple(((active > 0) & (active <= SPARSE)).nonzero().flatten().tolist())

    def with_more(self, more: "LayerNumbers") -> "LayerNumbers":
        """The numbers of these images and of `more`, of the same layer."""
        pictures = self.pictures + more.pictures

        def averaged(ours: Tensor, theirs: Tensor) -> Tensor:
            return (ours * self.pictures + theirs * more.pictures) / pictures

        return replace(
            more,
            pictures=pictures,
            minimum=torch.minimum(self.minimum, more.minimum),
            mean=averaged(self.mean, more.mean),
            maximum=torch.maximum(self.maximum, more.maximum),
            zeros=averaged(self.zeros, more.zeros),
            active=averaged(self.active, more.active),
        )


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The output of one layer for a batch."""

    maps: Float[Tensor, "n c h w"]
    """Activations in the layer's own units, not rescaled."""
    numbers: LayerNumbers
    """Of each channel over the images of the batch."""


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
    made = []
    for name in layers:
        maps = layouts.of(name).maps(captured[name]).float()
        over = (0, 2, 3)
        found = (maps.amin(over), maps.mean(over), maps.amax(over))
        shares = ((maps == 0).float().mean(over), (maps > 0).float().mean(over))
        numbers = (one.double().cpu() for one in (*found, *shares))
        made.append(FeatureMaps(maps, LayerNumbers(name, (maps.shape[2], maps.shape[3]), len(maps), *numbers)))
    return tuple(made)
