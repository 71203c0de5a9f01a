"""Changes to a network's layers (`layer3.0.conv2.stride=1`), what they do to the receptive fields, and what they cost.

They are made on a copy without values, which is walked anew, so that what is told holds with branches, too.
A changed kernel or dilation brings the padding that keeps the output's size, where the old padding did so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import cast

import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, did_you_mean, first_line, unknown
from cnnlab.models.tensors import copied
from cnnlab.receptive_field.audit import audit
from cnnlab.receptive_field.fields import Field, Fields, receptive_fields

OPTIONS = {"stride": "stride", "dilation": "dilation", "kernel": "kernel_size", "kernel_size": "kernel_size",
           "padding": "padding"}  # fmt: skip
"""The options that can be changed, by the names that they may be given."""

IDENTITY = "identity"

_TWICE = "_reversed_padding_repeated_twice"
"""Name under which torch's convolutions keep their padding once more, as `F.pad` takes it."""


@dataclass(frozen=True)
class Edit:
    """One option of one layer set to a value; without an option the layer is replaced by the identity."""

    layer: str
    option: str | None
    value: tuple[int, ...]

    def __str__(self) -> str:
        if self.option is None:
            return f"{self.layer}={IDENTITY}"
        numbers = self.value if len(set(self.value)) > 1 else self.value[:1]
        return f"{self.layer}.{'kernel' if self.option == 'kernel_size' else self.option}={','.join(map(str, numbers))}"


def parse_edit(text: str, model: nn.Module) -> Edit:
    """`LAYER.OPTION=VALUE`, where the value is a number or one for each axis (`2,1`), or `LAYER=identity`.

    Raises: RequestError for a layer or an option that is not there (with the nearest name), or another value.
    """
    path, equals, value = text.partition("=")
    modules = {name: module for name, module in model.named_modules() if name}
    if not equals:
        raise RequestError(f"`what_if` is '{text}', expected LAYER.OPTION=VALUE, such as layer3.0.conv2.stride=1")
    if path in modules and value == IDENTITY:
        return Edit(path, None, ())
    layer, _, option = path.rpartition(".")
    if layer not in modules:
        raise RequestError(f"`what_if` {text}: {unknown('layer', layer or path, modules)}")
    known = [name for name in OPTIONS if hasattr(modules[layer], OPTIONS[name])]
    if option not in known:
        has = ", ".join(name for name in known if name != "kernel_size") or "none that can be changed"
        raise RequestError(
            f"`what_if` {text}: no option '{option}' in {layer} ({type(modules[layer]).__name__}); it has {has}."
            f"{did_you_mean(option, known)}"
        )
    least = 0 if option == "padding" else 1
    numbers = tuple(int(number) for number in value.split(",")) if re.fullmatch(r"\d+(,\d+)*", value) else ()
    axes = _axes(modules[layer])
    if len(numbers) not in (1, axes) or min(numbers) < least:
        raise RequestError(
            f"`what_if` {text}: '{value}' is no {option}; expected a whole number from {least}, or {axes}"
        )
    return Edit(layer, OPTIONS[option], numbers * axes if len(numbers) == 1 else numbers)


def _axes(module: nn.Module) -> int:
    if isinstance(module, nn.modules.conv._ConvNd):
        return len(module.kernel_size)  # a weight that is worked out may change the module when it is read
    return next((axes for axes in (1, 3) if f"{axes}d" in type(module).__name__), 2)


def without_values(model: nn.Module) -> nn.Module:
    """A copy whose parameters and buffers are on meta: it has the shapes and takes no memory.

    Raises: RequestError for a network that cannot be copied.
    """
    twins: dict[int, Tensor] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        twin = torch.empty_like(tensor.detach(), device="meta")
        parameter = nn.Parameter(twin, requires_grad=tensor.requires_grad)
        twins[id(tensor)] = parameter if isinstance(tensor, nn.Parameter) else twin
    try:
        return copied(model, twins)
    except (TypeError, RuntimeError) as error:
        raise RequestError(f"this network cannot be copied to try changes on it: {first_line(error)}") from None


def edited(model: nn.Module, edits: Sequence[Edit]) -> nn.Module:
    """A copy of `model` without values, with `edits` made to it."""
    twin = without_values(model)
    for edit in edits:
        if edit.option is None:
            parent, _, name = edit.layer.rpartition(".")
            setattr(twin.get_submodule(parent), name, nn.Identity())
            continue
        module = twin.get_submodule(edit.layer)
        before = {name: _pair(getattr(module, name, 1), len(edit.value)) for name in ("kernel_size", "dilation")}
        padding = getattr(module, "padding", None)
        _set(module, edit.option, edit.value)
        if edit.option in ("kernel_size", "dilation"):
            _keep_size(module, before, padding, len(edit.value))
        if edit.option == "kernel_size":
            if not isinstance(module, nn.modules.conv._ConvNd) and next(module.parameters(), None) is not None:
                raise RequestError(f"{edit}: the weights of {type(module).__name__} cannot be made for another kernel")
            _fit_weights(module, before["kernel_size"], edit.value)
    return twin


def _fit_weights(module: nn.Module, before: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    """Give every tensor of a convolution that has its kernel's size another one.

    That is the weight, or what it is worked out from: directions of a weight norm, masks of a pruning, the vector that
    a spectral norm keeps for the weight as a matrix.
    """
    for part in module.modules():
        for tensors in cast(tuple[dict[str, Tensor | None], ...], (part._parameters, part._buffers)):
            for name, tensor in tensors.items():
                if tensor is None or name in ("weight_g", "original0"):  # the lengths of a weight norm
                    continue
                if tensor.dim() == 2 + len(before) and tuple(tensor.shape[2:]) == before:
                    shape: tuple[int, ...] = (*tensor.shape[:2], *kernel)
                elif tensor.dim() == 1 and name in ("weight_v", "_v"):
                    shape = (len(tensor) // prod(before) * prod(kernel),)
                else:
                    continue
                made = torch.empty(shape, dtype=tensor.dtype, device="meta")
                tensors[name] = nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made


def _keep_size(module: nn.Module, before: dict[str, tuple[int, ...]], padding: object, axes: int) -> None:
    """Half of the window as padding, where it was half of the window before."""
    if padding is None or isinstance(padding, str):
        return
    pads = _pair(padding, axes)
    halves = tuple(d * (k - 1) // 2 for k, d in zip(before["kernel_size"], before["dilation"], strict=True))
    if pads == halves:
        kernel, dilation = (_pair(getattr(module, name, 1), axes) for name in ("kernel_size", "dilation"))
        _set(module, "padding", tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)))


def _set(module: nn.Module, option: str, value: tuple[int, ...]) -> None:
    """Set an option in the form in which the layer keeps it: pools hold one number, convolutions one for each axis."""
    old = getattr(module, option)
    setattr(module, option, value[0] if isinstance(old, int) and len(set(value)) == 1 else value)
    if option == "padding" and hasattr(module, _TWICE):
        setattr(module, _TWICE, [pad for pad in reversed(value) for _ in range(2)])


def _pair(value: object, axes: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * axes
    assert isinstance(value, tuple | list)
    return tuple(value)


@dataclass(frozen=True, eq=False)
class Variant:
    """A network with its changes (none for the network as it is)."""

    edits: tuple[Edit, ...]
    field: Field | None
    """Field of the layer that is watched; None where the network no longer runs or has no such layer any more."""
    macs: int
    at_least: bool
    """Whether it does multiply-accumulates that cannot be counted beside these."""
    parameters: int
    unproductive: int | None
    """How many of its layers can add nothing (see `audit`)."""
    failure: str | None
    """Why it does not run."""

    @property
    def name(self) -> str:
        """Its changes, as they are written."""
        return " ".join(map(str, self.edits)) or "as it is"


def variant(
    model: nn.Module, shape: Sequence[int], edits: Sequence[Edit], *, layer: str, ignore_gates: bool = False
) -> Variant:
    """The network with `edits`; `layer` is the one whose field is watched."""
    changed = edited(model, edits)
    fields = receptive_fields(changed, shape, ignore_gates=ignore_gates)
    parameters = sum(parameter.numel() for parameter in changed.parameters())
    failure = fields.walk.failure
    if failure is not None:
        return Variant(
            tuple(edits), None, 0, False, parameters, None, f"{failure.layer or 'the network'}: {failure.message}"
        )
    found = next((field for field in fields.layers if field.name == layer), None)
    run = fields.walk
    return Variant(
        tuple(edits), found, run.macs, bool(run.uncounted), parameters, len(audit(fields, changed).unproductive), None
    )


def strides(fields: Fields, model: nn.Module) -> list[tuple[Edit, ...]]:
    """Changes that make the map finer, from the first to the last: the stride of one stage set to 1.

    Layers of one block that halve the same map (a residual branch and its shortcut) change together, since their
    results meet.
    """
    groups: dict[tuple[tuple[int, ...], str], list[Edit]] = {}
    modules = dict(model.named_modules())
    outputs = {output.name: output for output in fields.walk.outputs}
    for field in fields.layers:
        module = modules.get(field.name)
        stride = getattr(module, "stride", None)
        if not field.leaf or stride is None or not hasattr(module, "kernel_size"):
            continue
        values = (stride,) if isinstance(stride, int) else tuple(stride)
        if max(values) < 2 or not outputs[field.name].inputs:
            continue
        sizes = outputs[field.name].inputs[0][2:]
        groups.setdefault((sizes, field.name.split(".")[0]), []).append(Edit(field.name, "stride", (1,) * len(sizes)))
    return [tuple(edits) for edits in groups.values()]


def growth(fields: Fields, model: nn.Module) -> list[tuple[Edit, ...]]:
    """Changes that widen the field: twice the dilation, or a kernel larger by 2, in one layer.

    Of the convolutions with the same kernel on a map of the same size only the first is tried: any does the same.
    """
    made: dict[tuple[str, tuple[int, ...], tuple[int, ...]], tuple[Edit, ...]] = {}
    modules = dict(model.named_modules())
    for field in fields.layers:
        module = modules.get(field.name)
        if not isinstance(module, nn.Conv2d) or isinstance(module.padding, str) or max(module.kernel_size) < 3:
            continue
        plane, kernel = field.output[1:], module.kernel_size
        wider = Edit(field.name, "dilation", tuple(2 * d for d in module.dilation))
        larger = Edit(field.name, "kernel_size", tuple(k + 2 for k in kernel))
        made.setdefault(("dilation", plane, kernel), (wider,))
        made.setdefault(("kernel", plane, kernel), (larger,))
    return list(made.values())
