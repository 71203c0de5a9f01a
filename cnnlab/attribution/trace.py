"""What each module of a network puts out on one run: names, shapes, and which tensors come out of an activation.

Activation functions are told by their calls, whether by a module, `F.relu` or a tensor's method.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnnlab.attribution.passes import checked_logits, fitted, frozen
from cnnlab.models.failure import watched
from cnnlab.models.tensors import lone_tensor
from cnnlab.walk.layout import Layout
from cnnlab.walk.layouts import Layouts


@dataclass(frozen=True)
class FeatureMap:
    """A tensor of the run that is feature maps, in whatever order, and the modules that put it out."""

    names: tuple[str, ...]
    """Innermost first: an activation, the block that ends with it, the stage that ends with the block."""
    channels: int
    height: int
    width: int
    activated: bool
    """Whether it comes out of an activation function, or puts such outputs side by side."""
    learned: bool
    """Whether the module that made it has parameters: a pool, a dropout or a padding has none. One that puts in order
    what no other module put out counts as what it puts in order: windows put together at the end of a block."""
    source: int | None
    """Which earlier feature map that module took in, where it is one of the list."""
    reused: frozenset[str]
    """The `names` whose module ran again later, so that this is not its last output."""

    @property
    def spatial(self) -> bool:
        """Whether it has more than one position."""
        return self.height * self.width > 1

    @property
    def facts(self) -> tuple[int, int, int, bool]:
        """Channels, height, width, and whether it is activated."""
        return self.channels, self.height, self.width, self.activated


@dataclass(frozen=True)
class Trace:
    """The feature maps of one run in the order in which they were made."""

    maps: tuple[FeatureMap, ...]
    classes: int


def trace(model: nn.Module, images: Float[Tensor, "n c h w"], layouts: Layouts) -> Trace:
    """Run `model` once in evaluation mode, without gradients, and note what its modules put out.

    Raises: RequestError where the output is no logits.
    """
    watch = _Watch(layouts)
    with frozen(model), torch.no_grad(), _Activations(watch):
        for name, module in watched(model):
            if name:
                module.register_forward_hook(watch.hook(name))
        classes = checked_logits(model(fitted(model, images)), images=len(images)).shape[1]
    return Trace(watch.maps(), classes)


Key = tuple[int, int]


def _key(tensor: Tensor) -> Key:
    # An in-place function gives the same tensor back with the next version.
    return id(tensor), tensor._version


@dataclass
class _Found:
    names: list[str]
    layout: Layout
    learned: bool
    source: Key | None
    ordered: bool = False
    """Whether the module only put in order what no other put out."""


class _Watch:
    """What the hooks of one run write down."""

    def __init__(self, layouts: Layouts) -> None:
        self.layouts = layouts
        self.found: dict[Key, _Found] = {}
        self.activated: set[Key] = set()
        self.calls: dict[str, int] = {}
        self.last: dict[str, Key] = {}
        self.alive: list[Tensor] = []
        """So that no tensor's id is given to another during the run."""

    def hook(self, name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def note(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            self.calls[name] = self.calls.get(name, 0) + 1
            self.last.pop(name, None)  # what its last call puts out may be no feature map
            layout = self.layouts.at(name, self.calls[name])
            tensor = lone_tensor(output)
            if layout is None or tensor is None:
                return
            self.alive.append(tensor)
            key = _key(tensor)
            self.last[name] = key
            taken = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
            if taken is not None:
                self.alive.append(taken)
            if key in self.found:
                self.found[key].names.append(name)
                return
            learned = next(iter(module.parameters()), None) is not None
            ordered = not learned and self._orders(taken, tensor)
            source = None if taken is None else _key(taken)
            self.found[key] = _Found([name], layout, learned or ordered, source, ordered)
            if taken is None or taken is output or learned:
                return
            if _is_own_activation(module, taken, tensor, layout):
                self.activated.add(key)

        return note

    def _orders(self, taken: Tensor | None, output: Tensor) -> bool:
        """Whether a module gives back, in another order, what it took and no module put out."""
        if taken is None or taken.numel() != output.numel():
            return False
        before = self.found.get(_key(taken))
        if before is not None and not before.ordered:
            return False
        other = taken.shape != output.shape or not torch.equal(taken, output)
        return other and torch.equal(taken.flatten().sort().values, output.flatten().sort().values)

    def maps(self) -> tuple[FeatureMap, ...]:
        places = {key: index for index, key in enumerate(self.found)}
        return tuple(
            FeatureMap(
                names=tuple(found.names),
                channels=found.layout.size[0],
                height=found.layout.size[1],
                width=found.layout.size[2],
                activated=key in self.activated,
                learned=found.learned,
                source=None if found.source is None else places.get(found.source),
                reused=frozenset(name for name in found.names if self.last.get(name) != key),
            )
            for key, found in self.found.items()
        )


def _is_own_activation(module: nn.Module, taken: Tensor, output: Tensor, layout: Layout) -> bool:
    """Whether a module without parameters works element by element, as an activation that a user wrote does.

    Tried on the same values in another order of places: a pool or a padding gives something else.
    """
    if next(iter(module.children()), None) is not None or taken.shape != output.shape or bool((taken == output).all()):
        return False
    turned: object = module.forward(taken.flip(layout.places))
    same = isinstance(turned, Tensor) and torch.equal(turned.flip(layout.places), output)
    return same and not _is_scaling(layout.maps(taken), layout.maps(output))


def _is_scaling(taken: Tensor, output: Tensor) -> bool:
    """Whether each channel is only scaled and shifted, as by a normalisation with fixed numbers."""
    x, y = taken.detach().double().transpose(0, 1).flatten(1), output.detach().double().transpose(0, 1).flatten(1)
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    slope = (x * y).sum(1, keepdim=True) / (x * x).sum(1, keepdim=True).clamp(min=1e-30)
    return bool(((y - slope * x).abs().amax(1) <= 1e-4 * y.abs().amax(1)).all())


class _Activations(TorchFunctionMode):
    """Tells `watch` which tensors come out of activation functions."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run `func`, and note its output if it is an activation."""
        output = func(*args, **(kwargs or {}))
        if isinstance(output, Tensor) and (func in ACTIVATIONS or self._joins_activated(func, args)):
            self.watch.alive.append(output)
            self.watch.activated.add(_key(output))
        return output

    def _joins_activated(self, func: Any, args: Any) -> bool:
        if func not in (torch.cat, torch.concat, torch.concatenate) or not args:
            return False
        return all(isinstance(part, Tensor) and _key(part) in self.watch.activated for part in args[0])


Call = Callable[..., Any]

RELU: frozenset[Call] = frozenset({F.relu, torch.relu, Tensor.relu, torch.relu_, Tensor.relu_})
IN_PLACE_RELU: frozenset[Call] = frozenset({torch.relu_, Tensor.relu_})
CLIPPED: frozenset[Call] = frozenset({F.relu6, F.hardtanh, F.hardtanh_})
"""Linear between two bounds; a rectifier where the lower one is 0."""

SMOOTH: frozenset[Call] = frozenset(
    {
        F.leaky_relu, F.leaky_relu_, F.prelu, torch.prelu, F.rrelu, F.rrelu_, torch.rrelu, F.elu, F.elu_, F.selu,
        torch.selu, F.celu, torch.celu, F.gelu, F.silu, F.mish, F.hardswish, F.hardsigmoid, F.sigmoid, torch.sigmoid,
        torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_, F.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_,
        F.softplus, F.softsign, F.logsigmoid, F.threshold, F.tanhshrink, F.softshrink, F.hardshrink,
    }
)  # fmt: skip
"""Nonlinear element by element, and no rectifier."""

ACTIVATIONS: frozenset[Call] = RELU | CLIPPED | SMOOTH


def name_of(call: Call) -> str:
    """`silu` for F.silu, torch.sigmoid and the like."""
    return str(getattr(call, "__name__", call)).rstrip("_")
