"""The arithmetic of layers in a row: shapes, weights, multiply-accumulates, memory, and what a unit sees.

Multiply-accumulates are those of convolutions and matrix products, half of torch's count of FLOPs (as everywhere in
cnnlab); comparisons, means and elementwise functions count as none. The order of a parameter's axes is that of the
documentation of `torch.nn`; windows slide as in Dumoulin & Visin 2016, arXiv:1603.07285.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from torch import nn

from cnnlab.core.arithmetic import Shape, Sliding, transposed_size_formula
from cnnlab.core.errors import WorkError
from cnnlab.layers_lab.unit import Unit, units, unread
from cnnlab.models.layers.convolution import LocallyConnected2d
from cnnlab.models.layers.normalization import DynamicTanh
from cnnlab.models.layers.pooling import BlurPool2d
from cnnlab.models.layers.scaling import LayerScale
from cnnlab.walk.facts import Output, Walk
from cnnlab.walk.walker import walk


@dataclass(frozen=True)
class ParameterTensor:
    """One parameter of a layer."""

    name: str
    """Its path, such as `conv1.weight`."""
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    """A name for each axis; empty where they have none."""
    is_bias: bool
    """Added to the outputs, and so multiplied with nothing."""

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


def parameters_of(model: nn.Module) -> tuple[ParameterTensor, ...]:
    """Every parameter of `model`, in its order; one that is shared stands there once."""
    owners = dict(model.named_modules())
    found = []
    for path, parameter in model.named_parameters():
        owner, _, name = path.rpartition(".")
        axes = _axes(owners[owner], name, parameter.dim())
        found.append(ParameterTensor(path, tuple(parameter.shape), axes, name == "bias"))
    return tuple(found)


def counts_of(tensors: Sequence[ParameterTensor]) -> tuple[int, int]:
    """How many weights the tensors hold, and how many biases."""
    biases = sum(tensor.count for tensor in tensors if tensor.is_bias)
    return sum(tensor.count for tensor in tensors) - biases, biases


def _axes(module: nn.Module, name: str, rank: int) -> tuple[str, ...]:
    """The names of the axes of the parameter `name` of `module`."""
    axes: tuple[str, ...] = ()
    match module, name:
        case nn.Conv2d(), "weight":
            axes = ("out", "in" if module.groups == 1 else "in/groups", "kernel height", "kernel width")
        case nn.ConvTranspose2d(), "weight":
            axes = ("in", "out" if module.groups == 1 else "out/groups", "kernel height", "kernel width")
        case nn.Conv2d(), "gain":
            axes = ("out", "1", "1", "1")
        case LocallyConnected2d(), "weight":
            axes = ("row", "column", "out", "in", "kernel height", "kernel width")
        case LocallyConnected2d(), "bias":
            axes = ("out", "row", "column")
        case nn.Linear(), "weight":
            axes = ("out", "in")
        case ((nn.Conv2d() | nn.ConvTranspose2d() | nn.Linear()), "bias"):
            axes = ("out",)
        case nn.LayerNorm(), _ if rank == 3:
            axes = ("channels", "height", "width")
        case ((nn.BatchNorm1d() | nn.BatchNorm2d() | nn.InstanceNorm2d() | nn.GroupNorm()), _):
            axes = ("channels",)
        case LayerScale(), "weight" if rank == 0:
            axes = ()
        case ((nn.LayerNorm() | DynamicTanh() | LayerScale()), ("weight" | "bias")):
            axes = ("channels",)
    assert len(axes) in (0, rank), f"{len(axes)} names for {rank} axes"
    return axes


Pixels = tuple[int, int]
"""(vertical, horizontal)."""


@dataclass(frozen=True)
class Window:
    """Pairs are (vertical, horizontal), in pixels of the layer's own input."""

    kernel: Pixels
    stride: Pixels
    padding: Pixels
    dilation: Pixels = (1, 1)
    output_padding: Pixels | None = None
    """None unless it is that of a transposed convolution."""

    @property
    def extent(self) -> Pixels:
        """Pixels from its first tap to its last, both included: dilation·(kernel − 1) + 1."""
        vertical, horizontal = (d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        return vertical, horizontal

    def formulas(self, size: Pixels) -> tuple[str, str]:
        """Output height and width for an input of `size` pixels, as the formula with its numbers."""
        vertical, horizontal = (self._formula(axis, size[axis]) for axis in (0, 1))
        return vertical, horizontal

    def _formula(self, axis: int, size: int) -> str:
        kernel, stride, padding = self.kernel[axis], self.stride[axis], self.padding[axis]
        numbers = {"stride": stride, "padding": padding, "dilation": self.dilation[axis]}
        if self.output_padding is None:
            return Sliding(size, kernel, **numbers).formula
        return transposed_size_formula(size, kernel, output_padding=self.output_padding[axis], **numbers)


def window_of(module: nn.Module) -> Window | None:
    """The window of one layer; None for a layer without one, and where its size does not follow the formula."""
    match module:
        case nn.Conv2d(padding=str()) | nn.MaxPool2d(ceil_mode=True) | nn.AvgPool2d(ceil_mode=True):
            return None
        case nn.ConvTranspose2d():
            given = (module.kernel_size, module.stride, module.padding, module.dilation, module.output_padding)
            return Window(*map(_pair, given))
        case nn.Conv2d() | LocallyConnected2d() | nn.MaxPool2d():
            return Window(*map(_pair, (module.kernel_size, module.stride, module.padding, module.dilation)))
        case nn.AvgPool2d() | BlurPool2d():
            return Window(*map(_pair, (module.kernel_size, module.stride, module.padding)))
    return None


def _pair(value: object) -> Pixels:
    """torch keeps what it was given: one number, or two."""
    if isinstance(value, int):
        return value, value
    assert isinstance(value, tuple | list)
    assert len(value) == 2
    return int(value[0]), int(value[1])


FLOAT32 = 4
"""Bytes."""

ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.Tanh,
)  # fmt: skip
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
    weights: int
    """Parameters that are no biases."""
    biases: int
    """Parameters that are added."""
    macs: int
    """Multiply-accumulates for one image."""
    unit: Unit | None
    """What a unit sees, in pixels of the whole stack's input; None where that is flat."""


@dataclass(frozen=True)
class Arithmetic:
    """What layers in a row make of one image, and at which cost."""

    input: Shape
    output: Shape
    """(channels, height, width), or (features,)."""
    parts: tuple[Part, ...]
    parameters: tuple[ParameterTensor, ...]
    weights: int
    """Parameters that are no biases."""
    biases: int
    """Parameters that are added."""
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
    weights, biases = counts_of(tensors)
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
        weights=weights,
        biases=biases,
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
    mine = tuple(tensor for tensor in tensors if tensor.name.rpartition(".")[0] == output.layer)
    weights, biases = counts_of(mine)
    return Part(
        name=output.layer,
        kind=output.kind,
        input=tuple(inputs[1:]),
        output=tuple(output.shape[1:]),
        window=window_of(module),
        parameters=mine,
        weights=weights,
        biases=biases,
        macs=sum(operation.macs for operation in run.operations[output.began : output.ended]),
        unit=unit,
    )


def _computes(output: Output, run: Walk) -> bool:
    """Whether the layer runs an operation of its own, and so fills memory: flatten and a list of layers do not."""
    return any(operation.layer == output.layer for operation in run.operations[output.began : output.ended])
