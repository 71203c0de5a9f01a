"""Loading the weights of the same network under other names: layers are paired by shape and by what they follow.

Two ways of writing a network down, such as torchvision's classes and a list of layers, give the same layers other names
and other forms. Layers are one to one where

- their tensors have the same names and shapes and are used by the same functions. A `Linear` is a 1×1 convolution, axes
  of one at a shape's end do not count, and the only tensor of a layer may have any name (a block's `layer_scale`, a
  `skipinit_gain`, the `weight` of a layer of its own);
- the same layers come before them and after them, whatever stands between without weights. So branches may run in any
  order, and a projection before its block or after it.

Twins, which are alike in both (branches of the same shapes with the same input), are paired in the order in which a
forward pass uses them. The proof comes last: on a random image each layer has to put out what its partner puts out.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.models.weight_flow import WeightedLayer, weight_flow

Layers = Mapping[str, WeightedLayer]
Pairs = list[tuple[WeightedLayer, WeightedLayer]]

SAME_MAP = {"conv2d": "linear", "conv1d": "linear", "addmm": "linear", "matmul": "linear"}
"""Functions that are one map where the shapes of their weights agree."""

MEANT = "such as by another eps, stride, padding, activation or order of the channels"


def load_by_structure(model: nn.Module, source: nn.Module, shape: Shape) -> dict[str, str]:
    """Copy the weights and statistics of `source` into `model`, the same network under other names.

    Arguments:
        model: whose tensors are filled, in its own precision.
        source: the network whose weights they are.
        shape: of an image that both take: (channels, height, width), in pixels.

    Returns:
        The name of each of `model`'s tensors that was filled, and the name that it has in `source`.

    Raises:
        RequestError: where layers are not one to one, with the names and shapes of both at the first place where they
            differ; where they are, and one puts out other values than its partner. `model` is then as it was.

    Example:
        >>> ours = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
        >>> theirs = nn.Sequential(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)))
        >>> load_by_structure(ours, theirs, (3, 2, 2))
        {'1.weight': '0.1.weight', '1.bias': '0.1.bias'}
    """
    image = torch.randn(1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours, _ = weight_flow(model, _as_weights(image, model))
    theirs, wanted = weight_flow(source, _as_weights(image, source))
    pairs = paired_layers(ours, theirs)
    before = [(tensor, tensor.detach().clone()) for our, _ in pairs for tensor in our.tensors.values()]
    names = {}
    with torch.no_grad():
        for our, their in pairs:
            for (name, tensor), (other, value) in zip(_sorted(our), _sorted(their), strict=True):
                tensor.copy_(value.reshape(tensor.shape))
                names[_joined(our.name, name)] = _joined(their.name, other)
        filled, output = weight_flow(model, _as_weights(image, model))
        if difference := _difference([(filled[our.name], their) for our, their in pairs], output, wanted):
            for tensor, value in before:
                tensor.copy_(value)
            raise RequestError(difference)
    return {name: names[name] for layer in ours.values() for name in _tensor_names(layer)}


def paired_layers(ours: Layers, theirs: Layers) -> Pairs:
    """The layers of two networks, one to one.

    Arguments:
        ours: in the order of their use.
        theirs: in the order of their use.

    Returns:
        A layer of each, in the order of `ours`.

    Raises: RequestError at the first layer without a partner.
    """
    sides = [_Side(ours), _Side(theirs)]
    kinds: dict[Any, int] = {}
    colours = [{name: kinds.setdefault(_kind(layer), len(kinds)) for name, layer in side.items()} for side in sides]
    if lonely := _lonely(colours):
        raise RequestError(_unlike(ours, theirs, *lonely))
    while True:
        colours = _refined(sides, colours)
        counts = Counter(colours[0].values())
        twin = next((name for name in ours if counts[colours[0][name]] > 1), None)
        if twin is None:
            break
        partner = next(name for name in theirs if colours[1][name] == colours[0][twin])
        colours[0][twin] = colours[1][partner] = len(ours)
    partners = {colour: name for name, colour in colours[1].items()}
    return [(layer, theirs[partners[colours[0][name]]]) for name, layer in ours.items()]


class _Side(dict[str, WeightedLayer]):
    """One network's layers, and which follow each."""

    def __init__(self, layers: Layers) -> None:
        super().__init__(layers)
        self.following: dict[str, list[str]] = {name: [] for name in layers}
        for name, layer in layers.items():
            for earlier in layer.after:
                self.following[earlier].append(name)

    def seen(self, name: str, colours: Mapping[str, int]) -> Any:
        """A layer's colour with those of the layers before it and after it."""
        before = sorted(colours[one] for one in self[name].after)
        return colours[name], tuple(before), tuple(sorted(colours[one] for one in self.following[name]))


def _refined(sides: list[_Side], colours: list[dict[str, int]]) -> list[dict[str, int]]:
    """The coarsest colours, finer than those given, by which layers of one colour have neighbours of the same colours.

    Source: colour refinement (Weisfeiler & Lehman 1968), of both networks at once.

    Raises: RequestError as soon as a colour is not as frequent in one as in the other.
    """
    while True:
        seen = [{name: side.seen(name, own) for name in side} for side, own in zip(sides, colours, strict=True)]
        numbers = {one: number for number, one in enumerate(sorted({*seen[0].values(), *seen[1].values()}))}
        finer = [{name: numbers[one] for name, one in side.items()} for side in seen]
        if lonely := _lonely(finer):
            raise RequestError(_elsewhere(sides[0], sides[1], *lonely))
        if len(numbers) == len({*colours[0].values(), *colours[1].values()}):
            return finer
        colours = finer


def _lonely(colours: list[dict[str, int]]) -> tuple[str | None, str | None] | None:
    """The first layer of each network that is one too many of its colour; None where the networks agree."""
    counts = [Counter(side.values()) for side in colours]
    if counts[0] == counts[1]:
        return None
    found: list[str | None] = []
    for side, other in ((0, 1), (1, 0)):
        left = Counter(counts[other])
        first = None
        for name, colour in colours[side].items():
            left[colour] -= 1
            if left[colour] < 0:
                first = name
                break
        found.append(first)
    return found[0], found[1]


def _unlike(ours: Layers, theirs: Layers, our: str | None, their: str | None) -> str:
    """What is said of networks whose layers differ in themselves."""
    if our is not None and their is not None:
        first, second = ours[our], theirs[their]
        place = list(ours).index(our) + 1
        alike = _shapes(first) == _shapes(second)
        mine, other = (
            _told(one) + (f" (used by {_listed(one.functions)})" if alike else "") for one in (first, second)
        )
        return f"the networks differ at their layer {place}: '{our}' has {mine}, '{their}' {other}"
    whose, layer = ("the network", ours[our]) if our is not None else ("the source", theirs[str(their)])
    return (
        f"the network has {len(ours)} layers with weights and the source {len(theirs)}: "
        f"'{layer.name}' of {whose} ({_told(layer)}) has no partner"
    )


def _elsewhere(ours: Layers, theirs: Layers, our: str | None, their: str | None) -> str:
    """What is said of networks with the same layers in other places."""
    first, second = ours[str(our)], theirs[str(their)]
    return (
        f"the networks have the same layers, joined otherwise: '{first.name}' ({_told(first)}) follows "
        f"{_listed(first.after)}, '{second.name}' of the source ({_told(second)}) {_listed(second.after)}"
    )


def _difference(pairs: Pairs, output: Any, wanted: Any) -> str | None:
    """The first pair whose values differ, in a sentence; the outputs of both networks, where all layers agree."""
    types = [tensor.dtype for layers in pairs for one in layers for tensor in one.tensors.values()]
    tolerance = max((torch.finfo(kind).eps ** 0.5 for kind in types if kind.is_floating_point), default=0.0)
    for our, their in pairs:
        if not abs(our.power - their.power) <= tolerance * their.power:
            return (
                f"the layers are one to one, but with the same weights '{our.name}' puts out a root mean square of "
                f"{our.power**0.5:.6g} and '{their.name}' of {their.power**0.5:.6g}: the networks differ before these "
                f"or in them, {MEANT}"
            )
    if isinstance(output, Tensor) and isinstance(wanted, Tensor):
        given, expected = output.double().flatten(), wanted.double().flatten()
        if given.shape != expected.shape or not (given - expected).abs().max() <= tolerance * expected.abs().max():
            return f"the layers are one to one, but with the same weights the networks' outputs differ, {MEANT}"
    return None


def _kind(layer: WeightedLayer) -> Any:
    """What has to be equal of two layers in themselves."""
    functions = frozenset(SAME_MAP.get(name, name) for name in layer.functions)
    shapes = [(name, _trimmed(shape)) for name, shape in sorted(_shapes(layer).items())]
    return functions, tuple(shapes) if len(shapes) > 1 else shapes[0][1]


def _trimmed(shape: Shape) -> Shape:
    """A shape without the axes of one at its end."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _as_weights(image: Tensor, model: nn.Module) -> Tensor:
    state = next(model.parameters(), torch.empty(0))
    return image.to(dtype=state.dtype, device=state.device)


def _sorted(layer: WeightedLayer) -> list[tuple[str, Tensor]]:
    return sorted(layer.tensors.items())


def _tensor_names(layer: WeightedLayer) -> list[str]:
    return [_joined(layer.name, name) for name in layer.tensors]


def _shapes(layer: WeightedLayer) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in layer.tensors.items()}


def _told(layer: WeightedLayer) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in _shapes(layer).items())


def _listed(names: set[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names)) or "the image"


def _joined(layer: str, name: str) -> str:
    return f"{layer}.{name}" if layer else name
