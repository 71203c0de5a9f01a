"""The arithmetic of layers as it is written: numbers in words, the layers of a stack as a table, and JSON.

In JSON pairs are [vertical, horizontal], pixels those of the input.
"""

from typing import Any

from cnnlab.layers_lab.stack import Arithmetic, Part
from cnnlab.layers_lab.unit import Unit
from cnnlab.view.blocks import Column, Table
from cnnlab.view.layer_rows import pair_text, size_text


def parts_table(facts: Arithmetic, title: str, name: str, *, alone: bool = False) -> Table:
    """A row for each layer that is made of no others; the field is in pixels of the first one's input.

    alone: all are parts of one layer, whose name is left out.
    """
    columns = (
        Column("layer"),
        Column("output"),
        Column("weights", align="right", form=",d"),
        Column("biases", align="right", form=",d"),
        Column("MACs", align="right", form=",d"),
        Column("field", "px", "right"),
        Column("jump", "px", "right"),
    )
    rows = tuple(
        (
            without_owner(part.name) if alone else part.name,
            size_text(part.output),
            part.weights,
            part.biases,
            part.macs,
            None if part.unit is None else field_text(part.unit),
            None if part.unit is None or part.unit.stride is None else pair_text(part.unit.stride),
        )
        for part in facts.parts
    )
    return Table(title, columns, rows, name=name)


def without_owner(path: str) -> str:
    """`pointwise.weight` for `depthwise_separable1.pointwise.weight`."""
    return path.split(".", 1)[-1]


def weights_text(weights: int, biases: int) -> str:
    """`432 weights + 16 biases`."""
    return f"{counted(weights, 'weight')} + {counted(biases, 'bias')}" if weights or biases else "no weights"


def counted(count: int, what: str) -> str:
    """`1 value`, `2 values`, `16 biases`."""
    return f"{count:,} {what}" + ("" if count == 1 else "es" if what.endswith("s") else "s")


def field_text(unit: Unit) -> str:
    """`5 × 5`; `≥ 5 × 5` where the border of the input hides the rest."""
    return ("" if unit.exact else "≥ ") + size_text(unit.size)


def count_text(value: float) -> str:
    """A count, or a mean of counts with two digits behind the point."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def times_text(ratio: float) -> str:
    """`7.605×`; from a thousand on without fractions, and below a tenth as `1/1,024×`."""
    if ratio < 0.1:
        return f"1/{times_text(1 / ratio)}" if ratio else "0×"
    return f"{ratio:,.0f}×" if ratio >= 1000 else f"{ratio:.4g}×"


def memory_text(size: int) -> str:
    """Bytes as `16 KiB` (16,384 bytes)."""
    value, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:,.4g} {unit}"


def arithmetic_document(facts: Arithmetic) -> dict[str, Any]:
    """The facts that one layer and a stack have in common."""
    return {
        "input": facts.input,
        "output": facts.output,
        "output_values": facts.output_values,
        "weights": facts.weights,
        "biases": facts.biases,
        "parameters": facts.weights + facts.biases,
        "macs": facts.macs,
        "macs_at_least": bool(facts.uncounted),
        "macs_per_pixel": facts.macs_per_pixel,
        "activation_bytes": facts.activation_bytes,
        "peak_bytes": facts.peak_bytes,
        "nonlinearities": facts.nonlinearities,
        "unread": facts.unread,
        "receptive_field": _unit_document(facts.unit),
        "parts": [_part_document(part) for part in facts.parts],
    }


def _part_document(part: Part) -> dict[str, Any]:
    window = part.window
    return {
        "name": part.name,
        "kind": part.kind,
        "input": part.input,
        "output": part.output,
        "formulas": None if window is None else window.formulas((part.input[1], part.input[2])),
        "weights": part.weights,
        "biases": part.biases,
        "macs": part.macs,
        "receptive_field": _unit_document(part.unit),
    }


def _unit_document(unit: Unit | None) -> dict[str, Any] | None:
    if unit is None:
        return None
    return {
        "size": unit.size,
        "exact": unit.exact,
        "global": unit.is_global,
        "jump": unit.stride,
        "padding": unit.padding,
        "taps": unit.taps,
        "density": unit.density,
        "rows": unit.rows,
        "columns": unit.columns,
    }
