"""What a network costs, layer by layer: parameters, multiply-accumulates, activation memory.

Parameters that several layers share count once, with the first of them. Multiply-accumulates are those of the
operations that ran, functional ones too, so that attention and gates are not forgotten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from torch import nn

from cnnlab.analysis.walk.facts import Output, Walk
from cnnlab.core.arithmetic import output_size_formula

BYTES = 4
"""Of a number in float32, in which memory is given."""


@dataclass(frozen=True)
class LayerCost:
    """One layer's output for one picture; a layer made of layers holds theirs."""

    name: str
    kind: str
    depth: int
    leaf: bool
    inputs: tuple[tuple[int, ...], ...]
    """Shapes without the batch."""
    output: tuple[int, ...]
    parameters: int
    """Learned numbers inside it; those that an earlier layer has already count there."""
    shared: int
    """Of its learned numbers, those that an earlier layer or call has too."""
    macs: int
    activation_bytes: int
    """Of its output in float32."""
    saved_bytes: int | None
    """What backward needs of it, in float32, for one picture in training; None where that was not asked for."""
    formula: tuple[str, ...]
    """The output-size formula with its numbers, one for each axis; empty for a layer without a window."""
    weights: int | None
    """Of a convolution, without its biases."""
    dense_weights: int | None
    """Of a fully connected layer between the same shapes; None for layers that are no convolution."""
    local_weights: int | None
    """Of a locally connected layer: the same windows, weights of their own at each place."""


@dataclass(frozen=True)
class Costs:
    """Those of all layers, and of the whole network."""

    layers: tuple[LayerCost, ...]
    parameters: int
    trainable: int
    buffers: int
    """Numbers that are kept and not learned, such as running averages."""
    macs: int
    inference_bytes: int
    """The most that is alive at once beside the parameters, for one picture in eval mode, itself included."""
    training_bytes: int | None
    """What is kept for backward, for one picture; None where that was not asked for or the network does not train."""


def layer_costs(model: nn.Module, walk: Walk, saved: dict[str, int] | None = None) -> Costs:
    """The costs of a walk with `count=True`; `saved` are the bytes that each layer keeps (see `training_memory`)."""
    modules = dict(model.named_modules())
    seen: set[int] = set()
    rows = []
    for output in _by_start(walk.outputs):
        rows.append(_row(output, modules[output.layer], walk, seen, saved))
    order = {id(output): place for place, output in enumerate(walk.outputs)}
    placed = {order[id(output)]: row for output, row in zip(_by_start(walk.outputs), rows, strict=True)}
    parameters = list(model.parameters())
    return Costs(
        layers=tuple(placed[place] for place in range(len(rows))),
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        buffers=sum(buffer.numel() for buffer in model.buffers()),
        macs=sum(operation.macs for operation in walk.operations),
        inference_bytes=walk.peak_bytes,
        training_bytes=None if saved is None else sum(saved.values()),
    )


def _by_start(outputs: Sequence[Output]) -> list[Output]:
    """Inner layers before those that hold them, so that a shared parameter is the first layer's that uses it."""
    return sorted(outputs, key=lambda output: (not output.leaf, output.ended, -output.depth))


def _row(output: Output, module: nn.Module, walk: Walk, seen: set[int], saved: dict[str, int] | None) -> LayerCost:
    own = {id(parameter): parameter.numel() for parameter in module.parameters()}
    first_part = output.part in ("", "[0]") or output.part.startswith(".")
    if output.leaf:
        new = sum(count for key, count in own.items() if key not in seen)
        seen.update(own)
    else:
        new = sum(own.values()) if output.call == 1 else 0
    weights, dense, local = _unshared(module, output)
    inside = [layer for layer in (saved or {}) if layer == output.layer or layer.startswith(f"{output.layer}.")]
    kept = sum((saved or {})[layer] for layer in inside) if output.layer else sum((saved or {}).values())
    return LayerCost(
        name=output.name,
        kind=output.kind,
        depth=output.depth,
        leaf=output.leaf,
        inputs=tuple(shape[1:] for shape in output.inputs),
        output=output.shape[1:],
        parameters=new,
        shared=sum(own.values()) - new,
        macs=sum(operation.macs for operation in walk.operations[output.began : output.ended]) if first_part else 0,
        activation_bytes=output.values * BYTES,
        saved_bytes=None if saved is None else kept,
        formula=formula_of(module, output.inputs[0][1:]) if output.inputs else (),
        weights=weights,
        dense_weights=dense,
        local_weights=local,
    )


_WINDOWS = (nn.modules.conv._ConvNd, nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd)
_TRANSPOSED = nn.modules.conv._ConvTransposeNd


def formula_of(module: nn.Module, shape: tuple[int, ...]) -> tuple[str, ...]:
    """The output-size formula of a convolution or a pooling for one input of `shape`, for each axis."""
    if isinstance(module, _TRANSPOSED) or not isinstance(module, _WINDOWS):
        return ()
    sizes = shape[1:]
    names = ("kernel_size", "stride", "padding", "dilation")
    kernel, stride, padding, dilation = (_each(getattr(module, name, 1), len(sizes)) for name in names)
    if any(isinstance(value, str) for value in padding) or getattr(module, "ceil_mode", False):
        return ()
    return tuple(
        output_size_formula(size, int(k), stride=int(s), padding=int(p), dilation=int(d))
        for size, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True)
    )


def _each(value: object, count: int) -> tuple[int | str, ...]:
    if isinstance(value, int | str):
        return (value,) * count
    assert isinstance(value, tuple | list)
    return tuple(value)


def _unshared(module: nn.Module, output: Output) -> tuple[int | None, int | None, int | None]:
    """Weights of a convolution, and of a dense and a locally connected layer in its place."""
    if not isinstance(module, nn.modules.conv._ConvNd) or not output.inputs:
        return None, None, None
    inputs, outputs = output.inputs[0][1:], output.shape[1:]
    # not module.weight: one that is worked out, as by spectral norm, may change the module when it is read
    own = module.out_channels * module.in_channels // module.groups * prod(module.kernel_size)
    return own, prod(inputs) * prod(outputs), prod(outputs[1:]) * own
