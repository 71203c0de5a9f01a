"""What a config can name under `model:`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.registry import Chosen, Component, Registry


@dataclass(frozen=True)
class LayerFacts:
    """What is known of a kind of layer without building one."""

    named_by: str | None = None
    """The option that gives a layer of this kind its name among the network's modules; None for the kind's own name."""


LAYERS = Registry("layer", supplies=("shape", "classes", "build"), facts=LayerFacts())
"""Each makes an `nn.Module`. `shape` is the input's without the batch, `classes` their number, and `build` turns a list
of layers and a shape into a module and its output shape: (layers, shape) → (nn.Sequential, shape)."""

INITIALIZATIONS = Registry("initialization", supplies=("module",))
"""Each sets the weights of one layer, `module`, in place."""

Layer = Annotated[Component, Chosen("layer")]
Layers = Annotated[list[Layer], Field(min_length=1)]
"""A list of at least one layer: the body of a layer made of layers."""

LayerBuilder = Callable[[Sequence[Component], Shape], tuple[nn.Sequential, Shape]]
"""The type of `build` as a layer made of layers gets it."""

InitializationChoice = Annotated[Component, Chosen("initialization")]


def label(layer: Component) -> str:
    """What a layer is called among the network's modules and in errors: its kind, or a block's name."""
    named_by = layer.entry.facts.named_by
    return str(layer.options[named_by]) if named_by else layer.name
