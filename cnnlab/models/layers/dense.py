"""The fully connected layer."""

from typing import Annotated, Literal

from pydantic import WithJsonSchema
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.quantities import Positive
from cnnlab.models.layers.inputs import flat, word_or
from cnnlab.models.registry import LAYERS

Features = Annotated[
    Literal["classes"] | int,
    word_or("classes", Positive, "a whole number above 0 or 'classes' (as many as there are classes) is"),
    WithJsonSchema({"anyOf": [{"const": "classes"}, {"type": "integer", "exclusiveMinimum": 0}]}),
]
"""A number of outputs, or as many as the data has classes."""


@LAYERS.register("linear")
def linear(shape: Shape, classes: int, *, features: Features = "classes", bias: bool = True) -> nn.Linear:
    """Fully connected: y = W·x + b; as many outputs as classes unless `features` says otherwise.

    (F,) → (features,). Parameters: F·features, and `features` biases. An image has to be made flat before, by
    `global_avg_pool` (any image size) or `flatten` (one image size).
    """
    return nn.Linear(flat(shape), classes if features == "classes" else features, bias=bias)
