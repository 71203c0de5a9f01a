"""What a network costs, layer by layer: parameters, multiply-accumulates, activation memory.

Every number of a total stands in one row. The rows are a tree: a layer made of layers holds what theirs do, and beside
them rows for the parameters that are its own (class tokens, position embeddings, layer scales) and for the operations
of its own code (attention, gates). Parameters that several layers share count once, with the first that runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import inf, prod

from torch import Tensor, nn

from cnnlab.core.arithmetic import Sliding
from cnnlab.walk.facts import Output, Walk

BYTES = 4
"""Bytes of a number in float32, in which memory is given."""

ITSELF = "(itself)"
"""Behind the name of a layer made of layers: the operations of its own code."""

Saved = dict[tuple[str, int], int]
"""Bytes that each call (from 1) of a layer keeps for the backward pass, see `training_memory`."""


@dataclass(frozen=True)
class LayerCost:
    """One layer's output for one image; a layer made of layers holds theirs.

    Or what is no layer's output: a parameter of a layer made of layers, that layer's own code, a layer that is not
    called.
    """

    name: str
    kind: str
    """The module's class; `parameter` for one that stands by itself."""
    depth: int
    leaf: bool
    """Whether it holds no other rows: those of all leaves sum to the network's."""
    inputs: tuple[tuple[int, ...], ...]
    """Shapes without the batch."""
    output: tuple[int, ...]
    """Empty for what has none; of a parameter its own shape."""
    parameters: int
    """Learned numbers inside it; those that an earlier layer has already count there."""
    shared: int
    """How many of its learned numbers an earlier layer or call has too."""
    unused: int
    """How many of its `parameters` no operation of this pass, in evaluation mode, reads."""
    macs: int
    macs_at_least: bool
    """Whether it does multiply-accumulates that cannot be counted beside these."""
    activation_bytes: int
    """Bytes of its output in float32."""
    saved_bytes: int | None
    """What backward needs of it, in float32, for one image in training; None where that was not asked for."""
    formula: tuple[str, ...] = ()
    """The output-size formula with its numbers, one for each axis; empty for a layer without a window."""
    weights: int | None = None
    """Weights of a convolution, without its biases."""
    dense_weights: int | None = None
    """Weights of a fully connected layer between the same shapes; None for layers that are no convolution."""
    local_weights: int | None = None
    """Weights of a locally connected layer: the same windows, weights of their own at each place."""


@dataclass(frozen=True)
class Costs:
    """The costs of all layers, and of the whole network."""

    layers: tuple[LayerCost, ...]
    parameters: int
    trainable: int
    buffers: int
    """Numbers that are kept and not learned, such as running averages."""
    unused: int
    """Parameters that no operation of this pass, in evaluation mode, reads."""
    macs: int
    uncounted: tuple[tuple[str, str], ...]
    """(operation, layer) of those whose multiply-accumulates cannot be counted: the network does more than `macs`."""
    inference_bytes: int
    """The most that is alive at once beside the parameters, for one image in eval mode, itself included."""
    training_bytes: int | None
    """What is kept for backward, for one image; None where that was not asked for or the network does not train."""

    @property
    def rows(self) -> tuple[LayerCost, ...]:
        """All that a table is made of: without the network as a whole, unless it is a single layer."""
        return tuple(row for row in self.layers if row.name or row.leaf)


def layer_costs(model: nn.Module, walk: Walk, saved: Saved | None = None) -> Costs:
    """The costs of a walk with `count=True`; `saved` are the bytes that each layer keeps (see `training_memory`)."""
    tree = _tree(model, walk, saved or {})
    rows = [row for node in tree.values() for row in _rows(node, walk)]
    rows.sort(key=lambda row: row[0])
    parameters = list(model.parameters())
    return Costs(
        layers=tuple(row if saved is not None else replace(row, saved_bytes=None) for _, row in rows),
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        buffers=sum(buffer.numel() for buffer in model.buffers()),
        unused=tree[""].unused,
        macs=walk.macs,
        uncounted=walk.uncounted,
        inference_bytes=walk.peak_bytes,
        training_bytes=None if saved is None else sum(saved.values()),
    )


@dataclass(eq=False)
class _Node:
    """A module, and what belongs to it: of its own, and together with the modules inside it."""

    name: str
    module: nn.Module
    leaf: bool
    calls: dict[int, list[tuple[int, Output]]] = field(default_factory=dict)
    """What each call puts out, with its place in the walk."""
    own: dict[str, tuple[Tensor, bool]] = field(default_factory=dict)
    """The parameters that count here, and whether they are read."""
    own_operations: list[int] = field(default_factory=list)
    own_saved: dict[int, int] = field(default_factory=dict)
    """Bytes kept for backward, by the number of the call."""
    parameters: int = 0
    unused: int = 0
    operations: list[int] = field(default_factory=list)
    saved: int = 0
    last: float = -inf
    """The place of the last output inside it."""
    place: float = inf
    """Place of its other rows: before its own output; without one behind what is inside it, or at its owner's."""

    @property
    def depth(self) -> int:
        return self.name.count(".") + 1 if self.name else 0


def _tree(model: nn.Module, walk: Walk, saved: Saved) -> dict[str, _Node]:
    """Every module by its path; one of several names stands under its first, and a shared parameter with its first."""
    tree = {n: _Node(n, module, not any(True for _ in module.children())) for n, module in model.named_modules()}
    for place, output in enumerate(walk.outputs):
        tree[output.layer].calls.setdefault(output.call, []).append((place, output))
    for number, operation in enumerate(walk.operations):
        tree[operation.layer].own_operations.append(number)
    for (layer, call), count in saved.items():
        tree[layer].own_saved[call] = count
    named = dict(model.named_parameters(remove_duplicate=False))
    used = {id(named[name]) for name in walk.used}
    seen: set[int] = set()
    for node in sorted(tree.values(), key=lambda node: min((o.ended for _, o in node.calls.get(1, [])), default=inf)):
        for name, tensor in node.module.named_parameters(recurse=False, remove_duplicate=False):
            if id(tensor) not in seen:
                node.own[name] = tensor, id(tensor) in used
                seen.add(id(tensor))
    for node in tree.values():
        last = max((place for outputs in node.calls.values() for place, _ in outputs), default=-inf)
        path = node.name
        while True:
            above = tree[path]
            above.parameters += sum(tensor.numel() for tensor, _ in node.own.values())
            above.unused += sum(tensor.numel() for tensor, read in node.own.values() if not read)
            above.operations += node.own_operations
            above.saved += sum(node.own_saved.values())
            above.last = max(above.last, last)
            if not path:
                break
            path = path.rpartition(".")[0]
    for node in tree.values():
        if node.calls:
            node.place = min(place for place, _ in node.calls[1]) - 0.5
        elif node.last > -inf:
            node.place = node.last + 0.25
        elif node.name:
            node.place = tree[node.name.rpartition(".")[0]].place
    return tree


def _rows(node: _Node, walk: Walk) -> Iterator[tuple[float, LayerCost]]:
    """The rows of a module, each with its place among all."""
    every = sum(parameter.numel() for parameter in node.module.parameters())
    again = LayerCost(
        name=node.name,
        kind=type(node.module).__name__,
        depth=node.depth,
        leaf=node.leaf,
        inputs=(),
        output=(),
        parameters=0,
        shared=every,
        unused=0,
        macs=0,
        macs_at_least=False,
        activation_bytes=0,
        saved_bytes=0,
    )
    whole = replace(again, parameters=node.parameters, shared=every - node.parameters, unused=node.unused)
    if not node.leaf:
        for name, (tensor, read) in node.own.items():
            count = tensor.numel()
            yield (
                node.place,
                LayerCost(
                    name=f"{node.name}.{name}" if node.name else name,
                    kind="parameter",
                    depth=node.depth + 1,
                    leaf=True,
                    inputs=(),
                    output=tuple(tensor.shape),
                    parameters=count,
                    shared=0,
                    unused=0 if read else count,
                    macs=0,
                    macs_at_least=False,
                    activation_bytes=0,
                    saved_bytes=0,
                ),
            )
        own = _counted(replace(again, shared=0, leaf=True, depth=node.depth + 1), node.own_operations, walk)
        own = replace(own, name=f"{node.name} {ITSELF}".strip(), saved_bytes=sum(node.own_saved.values()))
        if own.macs or own.macs_at_least or own.saved_bytes:
            yield node.place, own
    if not node.calls:
        row = _counted(replace(whole, saved_bytes=node.saved), node.operations, walk)
        if every or row.macs or row.macs_at_least or row.saved_bytes:
            yield node.place, row
        return
    later = {call: outputs[0][1] for call, outputs in node.calls.items() if call > 1}
    for call, outputs in node.calls.items():
        row, saved = again, 0
        if call == 1:
            row, saved = whole, node.saved - sum(node.own_saved.get(other, 0) for other in later if node.leaf)
        elif node.leaf:
            saved = node.own_saved.get(call, 0)
        mine = node.operations
        if later:
            mine = [number for number in mine if _call_of(number, later) == call]
        row = _counted(replace(row, saved_bytes=saved), mine, walk)
        for place, output in outputs:
            weights, dense, local = _unshared(node.module, output)
            shown = replace(
                row,
                name=output.name,
                inputs=tuple(shape[1:] for shape in output.inputs),
                output=output.shape[1:],
                activation_bytes=output.values * BYTES,
                formula=tuple(axis.formula for axis in axes_of(node.module, *output.inputs[:1])),
                weights=weights,
                dense_weights=dense,
                local_weights=local,
            )
            yield place, shown
            row = again  # of several outputs of one call


def _call_of(operation: int, later: dict[int, Output]) -> int:
    """Which call it belongs to: the first, where it is not inside a later one."""
    return max((call for call, output in later.items() if output.began <= operation < output.ended), default=1)


def _counted(row: LayerCost, operations: list[int], walk: Walk) -> LayerCost:
    some = [walk.operations[number] for number in operations]
    return replace(row, macs=sum(one.macs for one in some), macs_at_least=not all(one.counted for one in some))


_WINDOWS = (nn.modules.conv._ConvNd, nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd)
_TRANSPOSED = nn.modules.conv._ConvTransposeNd


def axes_of(module: nn.Module, shape: tuple[int, ...] = ()) -> tuple[Sliding, ...]:
    """The window of a convolution or a pooling along each axis of its input of `shape` (n, channels, …).

    Empty where there is no window, or where its outputs do not follow the formula.
    """
    if isinstance(module, _TRANSPOSED) or not isinstance(module, _WINDOWS) or not shape[2:]:
        return ()
    sizes = shape[2:]
    names = ("kernel_size", "stride", "padding", "dilation")
    kernel, stride, padding, dilation = (_each(getattr(module, name, 1), len(sizes)) for name in names)
    if {len(one) for one in (kernel, stride, padding, dilation)} != {len(sizes)}:  # an input of another number of axes
        return ()
    if any(isinstance(value, str) for value in padding) or getattr(module, "ceil_mode", False):
        return ()
    return tuple(
        Sliding(size, int(k), int(s), int(p), int(d))
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
