"""Where the time of a forward pass goes: each layer's own, without that of the layers inside it.

A layer's time is that of its `forward` less that of the layers which it calls, so that in each pass the times of all
layers and of the code between them add up to the whole.
"""

from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from cnnlab.models.failure import watched
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.forward import forward
from cnnlab.network.speed import WARM, now


@dataclass(frozen=True)
class LayerSeconds:
    """Seconds; a layer's are the median over passes: what disturbs one meets one layer, and seldom the same twice."""

    own: dict[str, float]
    """Of each module by its path, without those inside it; "" is the network itself."""
    unwatched: float
    """Of the fastest pass whose layers are not timed."""

    @property
    def whole(self) -> float:
        """What `own` adds up to."""
        return sum(self.own.values())


def layer_seconds(model: nn.Module, images: Tensor, *, repeats: int) -> LayerSeconds:
    """Time each layer of a forward pass in evaluation mode.

    Arguments:
        model: is as it was afterwards.
        images: (n, channels, height, width), on its device.
        repeats: passes, from 1, after some that warm up.

    Returns:
        Each layer's own time. Taking it costs some microseconds a layer, which count for what the layer stands in.

    Example:
        >>> found = layer_seconds(nn.Sequential(nn.ReLU(), nn.Identity()), torch.ones(1, 1, 4, 4), repeats=4)
        >>> sorted(found.own), found.whole > 0
        (['', '0', '1'], True)
    """
    watch = _Stopwatch(images.device)
    passes: list[dict[str, float]] = []
    unwatched: list[float] = []
    with undisturbed(model), torch.no_grad():
        layers = list(watched(model))
        for _ in range(WARM + repeats):
            hooks = [hook for name, module in layers for hook in watch.put_on(name, module)]
            watch.reset()
            forward(model, images, again=watch.reset)
            passes.append(watch.own)
            for hook in hooks:
                hook.remove()
            start = now(images.device)
            forward(model, images)
            unwatched.append(now(images.device) - start)
    names = {name for one in passes[WARM:] for name in one}
    own = {name: median(one.get(name, 0.0) for one in passes[WARM:]) for name in names}
    return LayerSeconds(own, min(unwatched[WARM:]))


class _Stopwatch:
    """Hooks that take each module's time, and what it has shown since it was reset."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.own: dict[str, float] = {}
        self.running: list[tuple[float, list[float]]] = []
        """The beginning of each module that runs, and the seconds of those that ran inside it."""

    def reset(self) -> None:
        self.own, self.running = {}, []

    def put_on(self, name: str, module: nn.Module) -> tuple[RemovableHandle, RemovableHandle]:
        def enter(*_: Any) -> None:
            self.running.append((now(self.device), []))

        def leave(*_: Any) -> None:
            end = now(self.device)
            began, inside = self.running.pop()
            self.own[name] = self.own.get(name, 0.0) + end - began - sum(inside)
            if self.running:
                self.running[-1][1].append(end - began)

        return module.register_forward_pre_hook(enter), module.register_forward_hook(leave, prepend=True)
