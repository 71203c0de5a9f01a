"""Which of a network's layers with weights follow which: what torch's functions are given during one forward pass.

A layer counts where its tensors meet what came from the image, whoever calls the function: a module's own forward, or
another module that reads the tensor, as a block does that holds the scale of its branch itself.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from cnnlab.models.undisturbed import undisturbed


@dataclass
class WeightedLayer:
    """A module that has tensors of its own, as one forward pass used it."""

    name: str
    tensors: dict[str, Tensor]
    """Its parameters and kept buffers by their names within it, those of modules inside it left out."""
    functions: set[str] = field(default_factory=set)
    """Torch's functions that joined them with what came from the image, such as 'conv2d'."""
    after: set[str] = field(default_factory=set)
    """The layers whose outputs reached it with no other layer with weights between."""
    power: float = 0.0
    """The mean square of what it put out."""


def weight_flow(model: nn.Module, images: Tensor) -> tuple[dict[str, WeightedLayer], Any]:
    """The layers with weights that a forward pass reaches, in the order of their use, and the pass's output.

    Arguments:
        model: in evaluation mode for the pass, and as it was after it.
        images: a batch that it takes.

    Returns:
        Each layer by its name. Layers that the pass does not reach (auxiliary heads) are left out.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.BatchNorm2d(8))
        >>> layers, output = weight_flow(model, torch.zeros(1, 3, 4, 4))
        >>> {name: (layer.functions, layer.after) for name, layer in layers.items()}
        {'0': ({'conv2d'}, set()), '2': ({'batch_norm'}, {'0'})}
    """
    with undisturbed(model), torch.no_grad(), _Flow(model, images) as flow:
        output = model(images)
    return flow.layers, output


class _Flow(TorchFunctionMode):
    """Tells of each tensor of a pass which weights, or which layers' outputs, it was made of."""

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.layers: dict[str, WeightedLayer] = {}
        self.own: dict[str, dict[str, Tensor]] = {}
        self.weights: Mapping[Tensor, frozenset[str]] = WeakTensorKeyDictionary()
        self.reached: Mapping[Tensor, frozenset[str]] = WeakTensorKeyDictionary({images: frozenset()})
        for name, module in model.named_modules():
            self.own[name] = _own_tensors(module)
            for tensor in self.own[name].values():
                self.weights.setdefault(tensor, frozenset([name]))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = list(_tensors((args, kwargs or {})))
        weights = frozenset[str]().union(*(self.weights[one] for one in given if one in self.weights))
        came = [self.reached[one] for one in given if one in self.reached]
        result = func(*args, **(kwargs or {}))
        made = list(_tensors(result))
        if came and made:
            sources = frozenset[str]().union(*came)
            for name in weights:
                self._used(name, func, sources, made[0])
            self._keep(self.reached, made, weights or sources)
        elif weights:
            self._keep(self.weights, made, weights)
        return result

    def _used(self, name: str, func: Callable[..., Any], sources: frozenset[str], output: Tensor) -> None:
        layer = self.layers.setdefault(name, WeightedLayer(name, self.own[name]))
        layer.functions.add(_plain_name(func))
        layer.after |= sources - {name}
        layer.power = float(output.double().square().mean())

    @staticmethod
    def _keep(kept: Any, tensors: Iterable[Tensor], names: frozenset[str]) -> None:
        for tensor in tensors:
            kept[tensor] = names


def _own_tensors(module: nn.Module) -> dict[str, Tensor]:
    kept = module.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in kept.items() if "." not in name and isinstance(tensor, Tensor)}


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from _tensors(value)
    elif isinstance(values, tuple | list):
        for value in values:
            yield from _tensors(value)


def _plain_name(func: Callable[..., Any]) -> str:
    """A function's name without the marks of its other forms: 'mul' for `mul_`, `__mul__`, `__rmul__`, `__imul__`."""
    name = str(getattr(func, "__name__", func))
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        return name[1:] if name[:1] in "ri" and hasattr(Tensor, f"__{name[1:]}__") else name
    return name.rstrip("_")
