"""`cnnlab receptive-field`: what each layer sees, proven, measured and changed."""

import operator
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from cnnlab.core.errors import RequestError, unknown
from cnnlab.network.network import Network
from cnnlab.network.runnable import check_ran
from cnnlab.receptive_field.audit import Audit, audit
from cnnlab.receptive_field.fields import Field, Fields, fields_with_and_without_gates
from cnnlab.receptive_field.reading import boxes_of
from cnnlab.receptive_field.what_if import Edit, Variant, growth, parse_edit, strides, variant
from cnnlab.walk.layout import Layout
from cnnlab.walk.layouts import Layouts, layouts_of


@dataclass(frozen=True, eq=False)
class Inspection:
    """The fields of a network and what the audit says of them."""

    network: Network
    fields: Fields
    audit: Audit

    @cached_property
    def layouts(self) -> Layouts:
        """Which outputs are feature maps; a walk of its own."""
        return layouts_of(self.network.model, self.network.shape)

    @property
    def local(self) -> Field:
        """The last layer with the largest field that is not global."""
        return next(field for field in self.fields.layers if field.name == self.audit.trunk)

    def field(self, layer: str) -> Field:
        """The field of a layer.

        Raises: RequestError for a layer that is not there, with the nearest names.
        """
        found = next((field for field in self.fields.layers if field.name == layer), None)
        if found is None:
            raise RequestError(unknown("layer", layer, [field.name for field in self.fields.layers if field.name]))
        return found


def inspect(network: Network, *, ignore_gates: bool = False) -> Inspection:
    """Tell what each layer of a network sees of its images.

    Arguments:
        network: opened with or without its values.
        ignore_gates: whether factors of one number per channel are left out.

    Returns:
        The fields of all layers, and the audit of them.

    Raises:
        RequestError: where the network cannot run at this size, with the layer, the reason and the smallest size that
            works.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> from cnnlab.network.session import Session
        >>> session = Session(device_name="cpu")
        >>> network = open_network("torchvision:squeezenet1_1", session, size="64", values=False)
        >>> inspect(network).field("features.0").size
        (3, 3)
    """
    fields, judged = fields_with_and_without_gates(network.model, network.shape)
    check_ran(network, fields.walk)
    fields = judged if ignore_gates else fields
    return Inspection(network, fields, audit(judged, network.model))


def repairs(inspection: Inspection) -> Iterator[Variant]:
    """The network as it is, then the smallest changes after which the audit finds less, cheapest first in each kind.

    For layers that can add nothing: finer maps, one stage or two of them at stride 1. For a field that is smaller than
    the image: a wider dilation or a larger kernel.

    Yields:
        Networks with one change each, measured; nothing where nothing is wrong.
    """
    found, model = inspection.audit, inspection.network.model
    if not found.unproductive and found.covers:
        return
    yield _try(inspection, ())
    if found.unproductive:
        stages = strides(inspection.fields, model)
        pairs = [(*one, *other) for one, other in combinations(stages[:3], 2)]
        tried = [_try(inspection, edits) for edits in (*stages, *pairs)]
        better = [v for v in tried if v.unproductive is not None and v.unproductive < len(found.unproductive)]
        yield from sorted(better, key=lambda v: (v.unproductive, v.macs))[:5]
    if not found.covers:
        tried = [_try(inspection, edits) for edits in growth(inspection.fields, model)]
        larger = [v for v in tried if v.field is not None and min(v.field.size) > min(found.largest)]
        yield from sorted(larger, key=lambda v: _cheapest_that_covers(v, found.image))[:5]


def _cheapest_that_covers(one: Variant, image: Sequence[int]) -> tuple[bool, int, int, int]:
    """Orders variants: those whose field covers the image, then by their cost, then the larger field first."""
    assert one.field is not None
    short = any(r < side for r, side in zip(one.field.size, image, strict=True))
    return short, one.macs, one.parameters, -min(one.field.size)


def what_if(inspection: Inspection, texts: Sequence[str], *, layer: str, ignore_gates: bool) -> Iterator[Variant]:
    """Measure the network as it is, and with changes.

    Arguments:
        inspection: of the network.
        texts: each one change (`conv1.stride=1`, `conv1=identity`), or several at once with blanks between them.
        layer: whose field is measured.
        ignore_gates: as `inspect`.

    Yields:
        The network as it is, then with each of `texts`.

    Raises:
        RequestError: for a change of what is not there.
    """
    wanted = [[parse_edit(part, inspection.network.model) for part in text.split()] for text in texts]
    if not wanted:
        return
    for edits in ([], *wanted):
        yield _try(inspection, edits, layer, ignore_gates)


def _try(
    inspection: Inspection, edits: Sequence[Edit], layer: str | None = None, ignore_gates: bool = False
) -> Variant:
    watched = layer if layer is not None else inspection.audit.trunk
    network = inspection.network
    return variant(network.model, network.shape, edits, layer=watched, ignore_gates=ignore_gates)


COMPARISONS = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
MEASURES = {
    "size": "size", "r": "size", "stride": "stride", "s": "stride", "padding": "padding", "p": "padding",
    "r_min": "shortest", "coverage": "coverage", "padded": "padded", "density": "density",
}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """What a person asserts, and whether it holds."""

    text: str
    value: tuple[float, ...]
    """What was measured, for each axis."""
    holds: bool


def claim(inspection: Inspection, text: str) -> Claim:
    """`layer4.size>=224`: a layer's measure, a comparison, a number; it has to hold on every axis.

    A global layer has the size of the image.

    Raises: RequestError for anything else, and for a layer or a measure that is not there.
    """
    match = re.search(r"(>=|<=|==|!=|>|<)\s*(-?\d+(?:\.\d+)?)$", text.strip())
    if not match or not match.start():
        raise RequestError(f"`claim` is '{text}', expected LAYER.MEASURE, a comparison and a number: layer4.size>=224")
    layer, _, measure = text.strip()[: match.start()].rstrip().rpartition(".")
    if measure not in MEASURES:
        raise RequestError(f"`claim` {text}: {unknown('measure', measure, MEASURES)}")
    field = inspection.field(layer)
    value: Any = getattr(field, MEASURES[measure])
    values = tuple(value) if isinstance(value, tuple) else (value,)
    if any(one is None for one in values):
        raise RequestError(f"`claim` {text}: the layer is global, it has no {measure}")
    if measure in ("size", "r", "r_min") and not field.exact and not match[1].startswith(">"):
        raise RequestError(
            f"`claim` {text}: the border clips {layer} everywhere, so that its {measure} is known from below only, at "
            f"least {' × '.join(map(str, values))}; assert > or >=, or give a larger `size`"
        )
    holds = all(COMPARISONS[match[1]](one, float(match[2])) for one in values)
    return Claim(text, tuple(float(one) for one in values), holds)


def plane_of(inspection: Inspection, layer: str) -> Layout:
    """The dimensions of a layer's output that are its rows and columns of units.

    Raises: RequestError for a layer without them, with the nearest that has.
    """
    # a name of the form `layer (2)` or `layer.part` is an output's own
    found = inspection.layouts.found.get(layer)
    return found if isinstance(found, Layout) else inspection.layouts.of(layer)


def unit_box(
    inspection: Inspection, layer: str, unit: tuple[int, int] | None
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """(unit, rows, columns): the clipped box of a unit of `layer`, the central one by default; inclusive pixels.

    Raises: RequestError for a unit that is out of range, and for a layer without rows and columns.
    """
    inspection.field(layer)
    output, layout = inspection.fields.walk.output(layer), plane_of(inspection, layer)
    assert output is not None
    assert output.tag is not None
    found = boxes_of(output.tag, layout)
    _, height, width = layout.size
    row, column = unit or (height // 2, width // 2)
    if not (0 <= row < height and 0 <= column < width):
        raise RequestError(
            f"`unit` is {row},{column}; '{layer}' has units 0,0 to {height - 1},{width - 1} at this size of image"
        )
    top, bottom = found.rows[min(row, len(found.rows) - 1)].tolist()
    left, right = found.columns[min(column, len(found.columns) - 1)].tolist()
    return (row, column), (top, bottom), (left, right)


def unit_of(text: str) -> tuple[int, int]:
    """`3,4` as (row, column).

    Raises: RequestError for anything else.
    """
    match = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*", text)
    if not match:
        raise RequestError(f"`unit` is '{text}', expected row and column from 0, such as 3,4")
    return int(match[1]), int(match[2])


def audit_json(found: Audit) -> dict[str, object]:
    """The audit in `--json`."""
    return {
        "picture": found.image,
        "unproductive": found.unproductive,
        "critical": found.critical,
        "border": found.border,
        "feasible": {"smallest": found.smallest, "largest": found.largest, "exact": found.exact},
        "trunk": found.trunk,
        "covers": found.covers,
        "unread": found.unread,
        "layers": found.layers,
    }


def variant_json(one: Variant) -> dict[str, object]:
    """A variant in `--json`."""
    field = one.field
    return {
        "change": [str(edit) for edit in one.edits],
        "r": field and field.size,
        "stride": field and field.stride,
        "coverage": field and field.coverage,
        "macs": None if one.failure else one.macs,
        "macs_at_least": one.at_least,
        "parameters": one.parameters,
        "unproductive": one.unproductive,
        "failure": one.failure,
    }
