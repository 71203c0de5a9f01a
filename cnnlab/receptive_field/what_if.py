"""What a change of a layer would do to the receptive fields, and what it would cost.

Every variant is walked anew on meta tensors, so that what is told holds for networks with branches, too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from cnnlab.receptive_field.audit import audit
from cnnlab.receptive_field.edits import Edit, edited
from cnnlab.receptive_field.fields import Field, Fields, receptive_fields


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


def variants(
    model: nn.Module,
    shape: Sequence[int],
    candidates: Sequence[tuple[Edit, ...]],
    *,
    layer: str,
) -> Iterator[Variant]:
    """Each candidate in turn; a walk takes a tenth of a second to a second."""
    for edits in candidates:
        yield variant(model, shape, edits, layer=layer)
