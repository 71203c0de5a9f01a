"""From a list of layers to a network: shapes flow through, and a layer that does not fit is an error with its place.

Output shapes come from running what was built on meta tensors: they have a shape and no values, so nothing is
computed, and a layer that a user wrote needs no shape rule. A network that is too large is found out while it is built,
before its memory is filled or hours have passed.
"""

import re
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.nn.parameter import is_lazy

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError, ShapeError
from cnnlab.core.memory import gigabytes, machine_memory
from cnnlab.core.problems import problem_at
from cnnlab.core.registry import Component
from cnnlab.core.yaml import Mark
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.models.registry import label
from cnnlab.models.tensors import run_on, tensors_of, twins_of, without_values
from cnnlab.models.undisturbed import undisturbed

MOST_LAYERS = 5000
"""Layers of a config, those inside others counted each: building takes some milliseconds for each."""


class TooLargeError(Exception):
    """What is too large; whoever builds adds the place."""


@dataclass
class Tally:
    """What has been built so far."""

    layers: int = 0
    parameters: int = 0
    """Numbers that are learned."""
    bytes: int = 0
    """What the parameters take."""
    largest: int = 0
    """Values of the input and the output of one image, of the layer where they are most."""
    reached: dict[tuple[nn.Module, Shape], Shape] = field(default_factory=dict)
    """Output shapes of layers that have been tried, by the layer and its input shape."""
    places: dict[nn.Module, str] = field(default_factory=dict)
    """Where each layer is named, innermost where several names are for one."""

    def add_layers(self, count: int) -> None:
        """Count layers that are about to be built.

        Raises: TooLargeError where they are too many.
        """
        self.layers += count
        if self.layers > MOST_LAYERS:
            raise TooLargeError(f"the model has more than {MOST_LAYERS:,} layers; expected fewer")


@final
class Model(nn.Sequential):
    """A network: named layers in a row, for images of `input_shape` (channels, height, width) and `classes` classes.

    Other heights and widths work too unless a layer is bound to one (`flatten`, `locally_connected`).
    """

    input_shape: Shape
    classes: int
    largest_layer: int
    """Values of the input and the output of one image, of the layer where they are most: there at the same time."""
    places: Mapping[str, str]
    """Where the config names each layer, by its path: `file:line:column`; of layers from a file alone."""

    def __init__(
        self,
        layers: "OrderedDict[str, nn.Module]",
        *,
        input_shape: Shape,
        classes: int,
        largest_layer: int = 0,
        places: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(layers)
        self.places = places or {}
        self.input_shape = input_shape
        self.classes = classes
        self.largest_layer = largest_layer

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """(n, channels, height, width), normalised → (n, classes): a score (logit) per class."""
        scores: Tensor = super().forward(images)
        return scores

    def __getitem__(self, index: Any) -> Any:
        """One layer; a slice gives the layers in a plain `nn.Sequential`, which is no whole model."""
        if isinstance(index, slice):
            return nn.Sequential(OrderedDict(list(self._modules.items())[index]))
        return super().__getitem__(index)


def build(layers: Sequence[Component], shape: Shape, *, classes: int) -> Model:
    """The network of `layers` for images of `shape` (channels, height, width).

    Its layers are named by kind (a block by its name) and count: conv1, relu1, conv2, …; weights are PyTorch's
    defaults, from the global generator.

    Raises: RequestError, with the place in the YAML where it is known, for a layer that does not fit its input, a
    layer whose own code fails, and a list that does not end with one score per class.
    """
    if not layers:
        raise RequestError("the model has no layers; the least is global_avg_pool and linear")
    tally = Tally()
    network, output = sequence(layers, shape, classes=classes, tally=tally)
    if output != (classes,):
        raise _located(layers[-1].mark, _wrong_end(layers[-1], output, classes))
    # not named_children(), which leaves out a layer that stands there a second time (a user's shared one)
    built = OrderedDict(network._modules.items())
    places = {name: tally.places[module] for name, module in network.named_modules() if module in tally.places}
    return Model(built, input_shape=shape, classes=classes, largest_layer=tally.largest, places=places)


def sequence(
    layers: Sequence[Component],
    shape: Shape,
    *,
    classes: int,
    owner: str | None = None,
    tally: Tally | None = None,
) -> tuple[nn.Sequential, Shape]:
    """Any list of layers for inputs of `shape`, whatever it ends with: (module, output shape).

    `owner` tells errors which layer the list stands in, if it is not the model's own; `tally` is added to.

    Raises: RequestError as `build` does.
    """
    tally = tally or Tally()
    with parameters_counted(tally):
        return _sequence(layers, shape, classes=classes, owner=owner, place=None, tally=tally)


def _sequence(
    layers: Sequence[Component], shape: Shape, *, classes: int, owner: str | None, place: Mark | None, tally: Tally
) -> tuple[nn.Sequential, Shape]:
    """`place`: where the layer stands that the list is of, for layers which were not read from a file."""
    try:
        tally.add_layers(len(layers))
    except TooLargeError as error:
        raise _located(place or layers[-1].mark, str(error)) from None
    built: OrderedDict[str, nn.Module] = OrderedDict()
    counts: dict[str, int] = {}
    for index, layer in enumerate(layers):
        mark = layer.mark or place
        named = label(layer)
        inner = partial(_sequence, classes=classes, owner=named, place=mark, tally=tally)
        which = f"layer '{named}' ({_position(index, len(layers), owner)})"
        before = shape
        module, shape = _one(layer, shape, classes, inner, which, mark, tally)
        tally.largest = max(tally.largest, prod(before) + prod(shape))
        if layer.mark is not None:
            tally.places.setdefault(module, f"{layer.mark}{layer.mark.within}")
        counts[named] = counts.get(named, 0) + 1
        name = f"{named.replace('.', '_')}{counts[named]}"
        while name in built:  # a user's layers 'mix' and 'mix1' may meet
            name += "_"
        built[name] = module
    return nn.Sequential(built), shape


def parameter_count(module: nn.Module) -> int:
    """How many numbers are learned; a parameter that is shared counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def output_shape(module: nn.Module, shape: Shape) -> Shape:
    """The shape of one output of `module` for one input of `shape`, in eval mode; nothing is computed or changed.

    Raises: TypeError or ValueError when the output is not a tensor with one row per input; what `module` raises.
    """
    output = _tried(module, shape)
    if not isinstance(output, Tensor):
        raise TypeError(f"its output is {type(output).__name__}, expected a tensor")
    if output.dim() < 2 or len(output) != TRIAL_INPUTS:
        raise ValueError(f"its output for {TRIAL_INPUTS} inputs is {tuple(output.shape)}, expected ({TRIAL_INPUTS}, …)")
    return tuple(output.shape[1:])


def _reached(module: nn.Module, shape: Shape, tally: Tally) -> Shape:
    """`output_shape`, of a list of modules that of each after the other: each is tried once, however deep it stands."""
    if type(module) is nn.Sequential and len(module):
        for inner in module:
            shape = _reached(inner, shape, tally)
        return shape
    if (module, shape) not in tally.reached:
        tally.reached[module, shape] = output_shape(module, shape)
    return tally.reached[module, shape]


TRIAL_INPUTS = 2
"""Inputs in the trial run: more than one, so that a layer that loses the batch axis is found out."""


def _tried(module: nn.Module, shape: Shape) -> Any:
    try:
        with undisturbed(module, replaced=True), torch.no_grad():
            state = twins_of(module, without_values)
            return run_on(module, state, torch.empty(TRIAL_INPUTS, *shape, device="meta"))
    except RuntimeError:
        # A user's layer may look at values, or hold a tensor that is no buffer: such a one is tried for real.
        device = next((tensor.device for _, tensor in tensors_of(module)), torch.device("cpu"))
        with undisturbed(module), torch.no_grad():
            return module(torch.zeros(TRIAL_INPUTS, *shape, device=device))


def _one(
    layer: Component,
    shape: Shape,
    classes: int,
    inner: Callable[..., Any],
    which: str,
    mark: Mark | None,
    tally: Tally,
) -> tuple[nn.Module, Shape]:
    try:
        module = layer.build(shape=shape, classes=classes, build=inner)
        if not isinstance(module, nn.Module):
            raise TypeError(f"it made {type(module).__name__}, expected a torch.nn.Module")
        if any(is_lazy(parameter) for parameter in module.parameters()):
            with torch.no_grad():
                module.eval()(torch.zeros(TRIAL_INPUTS, *shape))  # from which lazy layers take their shapes
            module.train()
        return module, _reached(module, shape, tally)
    except TooLargeError as error:
        raise _located(mark, f"{which} is too large: {error}") from None
    except ShapeError as error:
        raise _located(mark, f"{which} does not fit: {error}") from error
    except LAYER_FAILURES as error:
        raise _located(mark, f"{which} fails on an input of shape {shape}: {_reason(error, layer)}") from error


def _reason(error: BaseException, layer: Component) -> str:
    """`RuntimeError: its first line (mine.py:12)`, with the line of the file that led to it if a user wrote that."""
    message = str(error).strip().split("\n", 1)[0]
    if too_large := re.search(r"allocate memory: you tried to allocate (\d+) bytes", message):
        return f"its {int(too_large[1]) / 1e9:,.0f} GB do not fit into this machine's memory"
    if any(words in message for words in _TOO_LARGE):
        return "one of its numbers is too large"
    file = getattr(sys.modules.get(layer.entry.factory.__module__), "__file__", None) or ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    theirs = lines and not file.startswith(_OURS)
    return f"{type(error).__name__}: {message}" + (f" ({file}:{lines[-1]})" if theirs else "")


_TOO_LARGE = ("Overflow when unpacking", "Storage size calculation overflowed", "construct a memory descriptor")
"""What torch says of numbers that it cannot count with; of the last, oneDNN, of sides beyond 31 bits."""

_OURS = str(Path(__file__).parent)


def _located(mark: Mark | None, message: str) -> RequestError:
    return RequestError(str(problem_at(mark, message)))


def _position(index: int, count: int, owner: str | None) -> str:
    """`3rd of the model`, `2nd of 'residual'`, or `in 'conv_bn_act'` for a layer that stands there alone."""
    if owner and count == 1:
        return f"in '{owner}'"
    number = index + 1
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending} of " + (f"'{owner}'" if owner else "the model")


def _wrong_end(last: Component, output: Shape, classes: int) -> str:
    ends = f"the model ends with '{last.name}', whose output is {output}; {classes} classes need ({classes},)"
    if len(output) > 1:
        return f"{ends}: add 'global_avg_pool' and 'linear' at the end"
    if last.name == "linear":
        return f"{ends}: leave out its 'features'"
    return f"{ends}: add 'linear' at the end"


@contextmanager
def parameters_counted(tally: Tally) -> Iterator[None]:
    """Count every parameter that a module gets meanwhile.

    A new tensor takes memory when it is filled only, and a layer fills its parameters after it has got them: so the
    error comes first.

    Raises: TooLargeError as soon as they and their gradients do not fit into this machine's memory.
    """
    limit = machine_memory()

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is None or is_lazy(parameter) or parameter.is_meta:  # the last ones take no memory
            return
        tally.parameters += parameter.numel()
        tally.bytes += parameter.numel() * parameter.element_size()
        if limit is not None and 2 * tally.bytes > limit:  # half of it would be filled for nothing
            raise TooLargeError(
                f"with it the network has {tally.parameters:,} parameters, which take {gigabytes(2 * tally.bytes)} "
                f"with their gradients, and this machine has {gigabytes(limit)} of memory"
            )

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
