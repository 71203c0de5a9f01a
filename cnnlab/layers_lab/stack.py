"""The arithmetic of layers in a row: shapes, weights, multiply-accumulates, memory, and what a unit sees.

Multiply-accumulates are those of convolutions and matrix products, half of torch's count of FLOPs (as everywhere in
cnnlab); comparisons, means and elementwise functions count as none.
"""

from dataclasses import dataclass
from math import prod

from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import WorkError
from cnnlab.layers_lab.parameters import ParameterTensor, parameters_of
from cnnlab.layers_lab.unit import Unit, units, unread
from cnnlab.layers_lab.window import Window, window_of
from cnnlab.models.layers.local import LocallyConnected2d
from cnnlab.walk.facts import Output, Walk
from cnnlab.walk.walker import walk

FLOAT32 = 4
"""Bytes."""

ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.Tanh)
"""What counts as a nonlinearity: the activation functions of the registry."""

_MOST_WITH_BITS = 2**18
"""Values of the input up to which a layer with something for each of its places is followed pixel by pixel."""


@dataclass(frozen=True)
class Part:
    """One layer that is made of no others, in the order of running."""

    name: str
    """The module's path, such as `depthwise_separable1.pointwise`."""
    kind: str
    """The module's class."""
    input: Shape
    output: Shape
    """Without the batch."""
    window: Window | None
    parameters: tuple[ParameterTensor, ...]
    macs: int
    """Multiply-accumulates for one image."""
    unit: Unit | None
    """What a unit sees, in pixels of the whole stack's input; None where that is flat."""

    @property
    def weights(self) -> int:
        """Parameters that are no biases."""
        return sum(tensor.count for tensor in self.parameters if not tensor.is_bias)

    @property
    def biases(self) -> int:
        """Parameters that are added."""
        return sum(tensor.count for tensor in self.parameters if tensor.is_bias)


@dataclass(frozen=True)
class Arithmetic:
    """What layers in a row make of one image, and at which cost."""

    input: Shape
    output: Shape
    """(channels, height, width), or (features,)."""
    parts: tuple[Part, ...]
    parameters: tuple[ParameterTensor, ...]
    macs: int
    """Multiply-accumulates for one image."""
    uncounted: tuple[str, ...]
    """Operations whose multiply-accumulates cannot be counted: there are more than `macs`."""
    activation_values: int
    """Numbers in the outputs of all layers, for one image; what only reshapes counts as none."""
    peak_bytes: int
    """The most that is alive at once in eval mode beside the parameters, the input included, in float32."""
    unit: Unit | None
    unread: tuple[int, int]
    """Rows and columns of the input that no output depends on."""
    nonlinearities: int
    """Activation functions on the way."""

    @property
    def weights(self) -> int:
        """Parameters that are no biases."""
        return sum(tensor.count for tensor in self.parameters if not tensor.is_bias)

    @property
    def biases(self) -> int:
        """Parameters that are added."""
        return sum(tensor.count for tensor in self.parameters if tensor.is_bias)

    @property
    def places(self) -> int | None:
        """Output pixels; None for a flat output."""
        return self.output[1] * self.output[2] if len(self.output) == 3 else None

    @property
    def macs_per_pixel(self) -> float | None:
        """Multiply-accumulates for each output pixel, all channels together."""
        return None if self.places is None else self.macs / self.places

    @property
    def output_values(self) -> int:
        """Numbers in the output for one image."""
        return prod(self.output)

    @property
    def activation_bytes(self) -> int:
        """Bytes of the outputs of all layers, in float32, for one image: what training keeps for the backward pass."""
        return FLOAT32 * self.activation_values


def arithmetic(model: nn.Module, shape: Shape) -> Arithmetic:
    """Follow one image of `shape`, (channels, height, width) or (features,), through `model`; nothing is computed.

    The model may lie on the meta device; it is as it was afterwards.

    Raises: WorkError where the model does not run on that shape.
    """
    bound = any(isinstance(module, nn.Flatten | LocallyConnected2d) for module in model.modules())
    spatial = len(shape) == 3
    run = walk(model, shape, count=True, bits=spatial and (not bound or prod(shape) <= _MOST_WITH_BITS))
    if run.failure is not None:
        raise WorkError(f"the layer '{run.failure.layer}' fails on {shape}: {run.failure.message}")
    seen = units(model, run, bound=bound) if spatial else {}
    tensors = parameters_of(model)
    modules = dict(model.named_modules())
    parts = tuple(
        _part(output, modules[output.layer], run, tensors, seen.get(output.name))
        for output in run.outputs
        if output.leaf and output.layer and output.kind != "Sequential"  # an empty branch
    )
    whole = run.outputs[-1]
    return Arithmetic(
        input=shape,
        output=tuple(whole.shape[1:]),
        parts=parts,
        parameters=tensors,
        macs=run.macs,
        uncounted=tuple(dict.fromkeys(name for name, _ in run.uncounted)),
        activation_values=sum(output.values for output in run.outputs if _computes(output, run)),
        peak_bytes=run.peak_bytes,
        unit=seen.get(whole.name),
        unread=unread(whole, run) if spatial else (0, 0),
        nonlinearities=sum(isinstance(module, ACTIVATIONS) for module in modules.values()),
    )


def _part(
    output: Output, module: nn.Module, run: Walk, tensors: tuple[ParameterTensor, ...], unit: Unit | None
) -> Part:
    inputs = output.inputs[0] if output.inputs else ()
    return Part(
        name=output.layer,
        kind=output.kind,
        input=tuple(inputs[1:]),
        output=tuple(output.shape[1:]),
        window=window_of(module),
        parameters=tuple(tensor for tensor in tensors if tensor.name.rpartition(".")[0] == output.layer),
        macs=sum(operation.macs for operation in run.operations[output.began : output.ended]),
        unit=unit,
    )


def _computes(output: Output, run: Walk) -> bool:
    """Whether the layer runs an operation of its own, and so fills memory: flatten and a list of layers do not."""
    return any(operation.layer == output.layer for operation in run.operations[output.began : output.ended])
