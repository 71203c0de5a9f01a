"""What a config can name under `model:`."""

from typing import Annotated

from cnnlab.core.registry import Chosen, Component, Registry

LAYERS = Registry("layer", supplies=("shape", "classes", "build"))
"""Each makes an `nn.Module`. `shape` is the input's without the batch, `classes` their number, and `build` turns a list
of layers and a shape into a module and its output shape: (layers, shape) → (nn.Sequential, shape)."""

INITIALIZATIONS = Registry("initialization", supplies=("module",))
"""Each sets the weights of one layer, `module`, in place."""

Layer = Annotated[Component, Chosen("layer")]
InitializationChoice = Annotated[Component, Chosen("initialization")]
