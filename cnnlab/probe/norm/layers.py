"""The normalisation layers of a network: which there are, and over what each takes its statistics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from types import MappingProxyType
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

BATCH_NORM = "batch norm"
GROUPS = 32
"""Of a group norm where nothing else is said: Wu & He 2018, arXiv:1803.08494."""


@dataclass(frozen=True)
class NormLayer:
    """One layer that normalises by mean and variance."""

    name: str
    kind: str
    channels: int
    """γ and β there are, or would be."""
    over: str
    """What its mean and variance are taken over, as axes of (N, C, H, W)."""
    momentum: float | None = None
    """The share of a new batch in the running statistics; None where there are none."""
    updates: int | None = None
    """Batches that have gone into them, where that was counted."""

    @property
    def couples(self) -> bool:
        """Whether an image's output depends on the other images of its batch, while training."""
        return self.kind == BATCH_NORM


def _batch(name: str, layer: Any) -> NormLayer:
    kept = layer.running_mean is not None
    counted = int(layer.num_batches_tracked) if kept and layer.num_batches_tracked is not None else None
    return NormLayer(name, BATCH_NORM, layer.num_features, "N, H, W", layer.momentum if kept else None, counted)


def _instance(name: str, layer: Any) -> NormLayer:
    return NormLayer(name, "instance norm", layer.num_features, "H, W")


def _group(name: str, layer: nn.GroupNorm) -> NormLayer:
    groups, channels = layer.num_groups, layer.num_channels
    if groups == channels:
        return NormLayer(name, "instance norm", channels, "H, W")  # whatever it is called
    if groups == 1:
        return NormLayer(name, "layer norm", channels, "C, H, W")
    return NormLayer(name, "group norm", channels, f"C/{groups}, H, W")


def _layer(name: str, layer: nn.LayerNorm) -> NormLayer:
    shape = layer.normalized_shape
    return NormLayer(name, "layer norm", shape[0], {1: "C", 3: "C, H, W"}.get(len(shape), f"{len(shape)} last axes"))


TYPES: Mapping[type[nn.Module], Callable[[str, Any], NormLayer]] = MappingProxyType(
    {_BatchNorm: _batch, _InstanceNorm: _instance, nn.GroupNorm: _group, nn.LayerNorm: _layer}
)
"""What is a norm layer, and what is known of it; subclasses are such layers, too."""


def norm_layers(model: nn.Module) -> tuple[NormLayer, ...]:
    """The normalisation layers of a network, in the order in which they are registered.

    Arguments:
        model: any module; it is not run.

    Returns:
        A fact for each; a layer of group norm with as many groups as channels is an instance norm.
    """
    return tuple(
        describe(name, module)
        for name, module in model.named_modules()
        for kind, describe in TYPES.items()
        if isinstance(module, kind)
    )


def fitting_groups(channels: Sequence[int], groups: int = GROUPS) -> int:
    """The most groups, `groups` at most, that divide every one of `channels`."""
    return gcd(groups, *channels)
