"""What a config can name under `model:`."""

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.registry import Chosen, Component, Registry

LAYERS = Registry("layer", supplies=("shape", "classes", "build"))
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
