"""Which layer reads what: every tensor of a forward pass, by the layers and the code that make and read it.

A pass is watched as it runs, whatever the network's code looks like: hooks tell what goes into each layer that is made
of no others and what comes out, and a `TorchFunctionMode` sees what the code between them does with tensors.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from cnnlab.models.undisturbed import undisturbed

PASSING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
"""Layers that put out what they get, in evaluation mode: the same tensor, so that they are neither maker nor reader."""

QUESTIONS = {"__get__", "__len__", "size", "dim", "numel", "stride", "is_floating_point", "is_contiguous", "get_device"}
"""Functions that ask what kind of tensor it is: they read no values, where they give none back."""


@dataclass(frozen=True, eq=False)
class Call:
    """A layer that ran, or an operation of the code between layers."""

    layer: str
    """Its path; of an operation the path of the layer in whose code it stands."""
    is_layer: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(eq=False)
class Dataflow:
    """What was seen of a pass."""

    calls: list[Call] = field(default_factory=list)
    output: tuple[Tensor, ...] = ()
    entered: dict[str, int] = field(default_factory=dict)
    """How often each module ran, made of others or not."""

    def of(self, layer: str) -> list[Call]:
        """The calls of a layer."""
        return [call for call in self.calls if call.is_layer and call.layer == layer]

    def maker(self, tensor: Tensor) -> Call | None:
        """What put the tensor out, at last; None of the network's input."""
        return next((c for c in reversed(self.calls) if any(one is tensor for one in c.outputs)), None)

    def readers(self, tensor: Tensor) -> list[Call]:
        """What read the tensor; what the network puts out is read by its caller, an operation of ""."""
        found = [call for call in self.calls if any(one is tensor for one in call.inputs)]
        if any(one is tensor for one in self.output):
            found.append(Call("", False, self.output, ()))
        return found

    def reads_weights_of(self, module: nn.Module) -> Call | None:
        """An operation outside of `module` that reads one of its parameters or buffers."""
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        operations = (call for call in self.calls if not call.is_layer)
        return next((c for c in operations if any(one is mine for one in c.inputs for mine in own)), None)


def dataflow(model: nn.Module, images: Tensor) -> Dataflow:
    """Watch a forward pass in evaluation mode.

    Arguments:
        model: is as it was afterwards.
        images: (n, channels, height, width), of the type and on the device of its parameters.

    Returns:
        Each layer's inputs and outputs, and what the code between the layers read and made.

    Example:
        >>> flow = dataflow(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)), torch.ones(1, 1, 3, 3))
        >>> (made,) = flow.of("0")[0].outputs
        >>> [call.layer for call in flow.readers(made)]
        ['1']
    """
    flow = Dataflow()
    watch = _Watch(flow)
    with undisturbed(model), torch.no_grad():
        for name, module in model.named_modules():
            watch.put_on(name, module)
        with watch:
            flow.output = _tensors(model(images))
    return flow


class _Watch(TorchFunctionMode):
    """Hooks on the layers, and every operation of the code between them."""

    def __init__(self, flow: Dataflow) -> None:
        super().__init__()
        self.flow = flow
        self.stack: list[tuple[str, bool]] = []
        """The modules that run, and whether each is made of no others."""

    def put_on(self, name: str, module: nn.Module) -> None:
        alone = not any(True for _ in module.children())
        begun: list[tuple[Tensor, ...]] = []

        def enter(_: nn.Module, inputs: Any, named: Any) -> None:
            self.stack.append((name, alone))
            begun.append(_tensors((inputs, named)))
            self.flow.entered[name] = self.flow.entered.get(name, 0) + 1

        def leave(_: nn.Module, inputs: Any, named: Any, output: Any) -> None:
            self.stack.pop()
            made, given = _tensors(output), begun.pop()
            passed = isinstance(module, PASSING) and all(any(one is got for got in given) for one in made)
            if alone and not passed and not self._inside():
                self.flow.calls.append(Call(name, True, given, made))

        module.register_forward_pre_hook(enter, with_kwargs=True)
        module.register_forward_hook(leave, with_kwargs=True, prepend=True)

    def _inside(self) -> bool:
        return any(alone for _, alone in self.stack)

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        given = () if self._inside() else _tensors((args, kwargs))
        result = func(*args, **(kwargs or {}))
        if given:
            made = _tensors(result)
            if made or getattr(func, "__name__", "") not in QUESTIONS:
                self.flow.calls.append(Call(self.stack[-1][0] if self.stack else "", False, given, made))
        return result


def _tensors(value: Any) -> tuple[Tensor, ...]:
    return tuple(leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor))
