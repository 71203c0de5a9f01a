"""What a network costs: counted, and measured on this machine."""

from dataclasses import dataclass
from math import prod

from torch import nn
from torch.nn.modules.conv import _ConvNd

from cnnlab.core.arithmetic import Shape
from cnnlab.layers_lab.cost.swap import Swap
from cnnlab.stats.repeats import Repeats
from cnnlab.walk.costs import Costs


@dataclass(frozen=True)
class BatchSpeed:
    """Forward passes of one size of batch."""

    batch: int
    """Images of a pass."""
    seconds: Repeats
    """Of each pass."""

    @property
    def images_per_second(self) -> float:
        """By the median pass."""
        return self.batch / self.seconds.median


@dataclass(frozen=True)
class LayerTime:
    """A layer's own part of a forward pass of one image."""

    layer: str
    """Its path."""
    kind: str
    """The module's class; of a convolution with its kernel, and whether it is depthwise."""
    seconds: float
    share: float
    """Of the whole pass, 0 … 1."""
    macs: int
    """Multiply-accumulates."""

    @property
    def flops_per_second(self) -> float | None:
        """Two for each multiply-accumulate; None of a layer without any."""
        return 2 * self.macs / self.seconds if self.macs and self.seconds > 0 else None


@dataclass(frozen=True, eq=False)
class NetworkCost:
    """One network's."""

    name: str
    costs: Costs
    """Parameters, multiply-accumulates and memory, layer by layer."""
    speeds: tuple[BatchSpeed, ...]
    """By size of batch, from 1."""
    layers: tuple[LayerTime, ...]
    """Those that took time, the longest first."""
    watched: float
    """Seconds of a pass of one image while its layers are timed: what `layers` and `between` add up to."""
    unwatched: float
    """Seconds of the fastest pass whose layers are not timed, of those that were taken in turn with the others."""
    between: float
    """Seconds of a watched pass outside of all layers: joins, the code of layers made of layers, and the timing."""

    @property
    def latency(self) -> Repeats:
        """Seconds of a pass of one image."""
        return self.speeds[0].seconds

    @property
    def best(self) -> BatchSpeed:
        """The size of batch at which most images pass in a second."""
        return max(self.speeds, key=lambda speed: speed.images_per_second)

    @property
    def kinds(self) -> tuple[LayerTime, ...]:
        """The layers of each kind taken together, the longest first."""
        kinds = dict.fromkeys(one.kind for one in self.layers)
        found = []
        for kind in kinds:
            of = [one for one in self.layers if one.kind == kind]
            seconds, share = sum(one.seconds for one in of), sum(one.share for one in of)
            found.append(LayerTime(str(len(of)), kind, seconds, share, sum(one.macs for one in of)))
        return tuple(sorted(found, key=lambda one: -one.seconds))


@dataclass(frozen=True)
class Machine:
    """What the times were taken on."""

    device: str
    threads: int
    flops_per_second: float
    """Of a product of two square matrices in single precision."""
    side: int
    """Rows of the matrices."""


@dataclass(frozen=True, eq=False)
class CostFacts:
    """A network, and the same with other convolutions where that was asked for."""

    network: NetworkCost
    shape: Shape
    """Of an image."""
    machine: Machine
    other: NetworkCost | None = None
    swap: Swap | None = None
    gains: tuple[Repeats, ...] = ()
    """Seconds of the network over those of the other, pass by pass, for each size of batch that both were given."""

    @property
    def networks(self) -> tuple[NetworkCost, ...]:
        """The one or the two."""
        return (self.network,) if self.other is None else (self.network, self.other)


def kind_of(module: nn.Module) -> str:
    """The class of a layer; of a convolution with its kernel, and with its groups where it has several.

    Example:
        >>> kind_of(nn.ReLU()), kind_of(nn.Conv2d(8, 8, 3)), kind_of(nn.Conv2d(8, 8, 3, groups=8))
        ('ReLU', 'Conv2d 3×3', 'Conv2d 3×3 depthwise')
    """
    name = type(module).__name__
    if not isinstance(module, _ConvNd):
        return name
    kernel = "×".join(map(str, module.kernel_size))
    if module.groups == 1:
        return f"{name} {kernel}"
    apart = module.groups == module.in_channels and prod(module.kernel_size) > 1
    return f"{name} {kernel} {'depthwise' if apart else f'in {module.groups} groups'}"
