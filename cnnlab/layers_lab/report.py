"""One layer: its formula with numbers, its weights, its cost, what a unit sees, and what else could do the same.

All of it is arranged for a page, and the numbers alone are one JSON document.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from cnnlab.core.characters import formatted
from cnnlab.layers_lab.alternatives import Alternative
from cnnlab.layers_lab.parts import (
    arithmetic_document,
    count_text,
    counted,
    field_text,
    memory_text,
    parts_table,
    times_text,
    weights_text,
    without_owner,
)
from cnnlab.layers_lab.run import Examined
from cnnlab.layers_lab.stack import FLOAT32, Arithmetic, ParameterTensor, Part
from cnnlab.layers_lab.toeplitz_report import matrix_document, matrix_section
from cnnlab.layers_lab.unit import Unit
from cnnlab.view.blocks import Block, Column, Figure, Number, Numbers, Report, Section, Table, Text
from cnnlab.view.drawings import Lattice
from cnnlab.view.layer_rows import pair_text, size_text

MOST_TENSORS = 12
"""Parameters that are told one by one; of more of them only each part's totals."""

WIDEST_PATTERN = 31
"""Pixels of a sampling pattern that a line of text shows."""


def layer_report(found: Examined, name: str) -> Report:
    """The facts in the order in which they are asked for; `name` is the layer in the user's words."""
    facts = found.arithmetic
    blocks: list[Block] = [Numbers(tuple(_numbers(facts)))]
    if found.image != facts.input:
        blocks.append(Text(f"The image of {size_text(found.image)} is flattened to {facts.input[0]:,} values.", "note"))
    blocks += [Text(text, "note") for text in _remarks(facts)]
    if found.matrix is not None and found.result is not None:
        blocks += _worked(found.matrix, found.result)
    if found.dense is not None:
        blocks.append(matrix_section(found.dense, found.dense_error))
    if 0 < len(facts.parameters) <= MOST_TENSORS:
        blocks.append(_tensors(facts.parameters))
    if len(facts.parts) > 1:
        blocks.append(parts_table(facts, "Its parts", "parts", alone=True))
    if found.alternatives:
        blocks += _beside(facts, found.alternatives)
    blocks += _pattern(facts)
    return Report(name, tuple(blocks), f"{size_text(facts.input)} → {size_text(facts.output)}")


def layer_document(found: Examined) -> dict[str, Any]:
    """What `--json` prints: the layer as it would be written in a config, and the image before it was flattened."""
    facts = found.arithmetic
    document = {"layer": found.layer.as_data(), "picture": found.image, **arithmetic_document(facts)}
    document["parameter_tensors"] = [
        {"name": without_owner(t.name), "shape": t.shape, "axes": t.axes, "numbers": t.count, "bias": t.is_bias}
        for t in facts.parameters
    ]
    document["alternatives"] = [
        {
            "means": a.means,
            "this": a.is_this,
            "weights": a.weights,
            "biases": a.biases,
            "macs": a.macs,
            "times": a.weights / facts.weights,
        }
        for a in found.alternatives
    ]
    if found.matrix is not None and found.result is not None:
        document |= {"matrix": found.matrix.tolist(), "result": found.result.tolist()}
    if found.dense is not None:
        document["dense"] = matrix_document(found.dense, found.dense_error)
    return document


def _numbers(facts: Arithmetic) -> list[Number]:
    numbers = [Number("output", size_text(facts.output), detail=counted(facts.output_values, "value"))]
    numbers += _formulas(facts.parts)
    numbers.append(
        Number("parameters", facts.weights + facts.biases, ",d", detail=weights_text(facts.weights, facts.biases))
    )
    numbers.append(Number("multiply-accumulates (MACs)", facts.macs, ",d", detail=_per_pixel(facts)))
    held = f"{counted(facts.activation_values, 'value')} of {FLOAT32} bytes for one image"
    numbers.append(Number("activation memory", memory_text(facts.activation_bytes), detail=held))
    if facts.unit is not None:
        numbers.append(Number("receptive field", field_text(facts.unit), detail=_seen(facts.unit)))
    return numbers


def _per_pixel(facts: Arithmetic) -> str:
    if facts.uncounted:
        return f"at least: those of {', '.join(facts.uncounted)} cannot be counted"
    if not facts.macs:
        return "comparisons, means and sums count as none"
    if facts.macs_per_pixel is None:
        return f"{count_text(facts.macs / facts.output_values)} for each of {counted(facts.output_values, 'output')}"
    return f"{count_text(facts.macs_per_pixel)} for each of {counted(facts.places or 0, 'output pixel')}"


def _formulas(parts: Sequence[Part]) -> list[Number]:
    """The size along each axis, once where both follow alike; nothing for a layer of several windows."""
    windowed = [part for part in parts if part.window is not None]
    if len(windowed) != 1 or windowed[0].window is None:
        return []
    (part,) = windowed
    vertical, horizontal = windowed[0].window.formulas((part.input[1], part.input[2]))
    if vertical == horizontal:
        return [Number("height and width", part.output[1], "d", detail=vertical)]
    return [
        Number("height", part.output[1], "d", detail=vertical),
        Number("width", part.output[2], "d", detail=horizontal),
    ]


def _seen(unit: Unit) -> str:
    if unit.is_global:
        return "every output sees the whole input"
    density = f"density {100 * unit.density:.3g}\N{NO-BREAK SPACE}%"
    read = density if unit.taps is None else f"{counted(unit.taps, 'pixel')} read, {density}"
    return read if unit.stride is None else f"{read}, jump {pair_text(unit.stride)}"


def _remarks(facts: Arithmetic) -> list[str]:
    found = []
    values, kept = int(np.prod(facts.input)), facts.output_values
    if not facts.parameters and kept < values:
        found.append(
            f"No weights. It keeps {kept:,} of {values:,} values: "
            f"{100 * (1 - kept / values):.3g}\N{NO-BREAK SPACE}% are gone."
        )
    sides = zip(facts.unread, facts.input[1:], ("rows", "columns"), strict=False)
    if missed := [f"{count:,} of the {side:,} {name}" for count, side, name in sides if count]:
        found.append(f"No window reads {' and '.join(missed)} of the input.")
    return found


def _tensors(parameters: Sequence[ParameterTensor]) -> Table:
    rows = tuple(
        (without_owner(t.name), size_text(t.shape) or "1", " × ".join(t.axes) or None, t.count) for t in parameters
    )
    columns = (Column("tensor"), Column("shape"), Column("axes"), Column("numbers", align="right", form=",d"))
    return Table("What it learns", columns, rows, name="tensors")


def _beside(facts: Arithmetic, alternatives: Sequence[Alternative]) -> list[Block]:
    """Other means to the same shapes, their weights in multiples of the layer's own."""
    if all(a.is_this for a in alternatives):
        return []
    columns = (
        Column("layer"),
        Column("weights", align="right", form=",d"),
        Column("× this layer", align="right"),
        Column("biases", align="right", form=",d"),
        Column("MACs", align="right", form=",d"),
    )
    rows = [
        (
            f"{a.means} (this)" if a.is_this else a.means,
            a.weights,
            times_text(a.weights / facts.weights),
            a.biases,
            a.macs,
        )
        for a in alternatives
    ]
    if not any(a.is_this for a in alternatives):
        rows.append(("this layer", facts.weights, times_text(1), facts.biases, facts.macs))
    note = "Dense: a weight for every input and output. Locally connected: windows, other weights at each place."
    return [Table("The same shapes by other means", columns, tuple(rows), note, name="alternatives")]


def _pattern(facts: Arithmetic) -> list[Block]:
    unit = facts.unit
    if unit is None or unit.pattern is None or max(unit.size) < 2:
        return []
    indices = np.full(unit.size, np.nan)
    indices[np.asarray(unit.pattern)] = np.arange(1, (unit.taps or 0) + 1)
    height, width = unit.size
    centre = (height // 2, width // 2) if height % 2 and width % 2 else None
    drawing = Lattice(indices, centre, label="number")
    figure = Figure("pattern", "What one unit reads", drawing)
    if max(unit.size) > WIDEST_PATTERN:
        return [figure]
    rows = tuple(Text("  " + " ".join("●" if read else "·" for read in row)) for row in unit.pattern)
    return [Section(f"What one unit reads of {height} × {width} pixels", rows), figure]


def _worked(matrix: Float[Tensor, "h w"], result: Float[Tensor, "..."]) -> list[Block]:
    """The matrix, and what the layer made of it, channel by channel."""
    channels = result if result.ndim == 3 else result[None, None]
    blocks: list[Block] = [Section("The input", _rows(matrix))]
    for number, channel in enumerate(channels, 1):
        title = "The output" if len(channels) == 1 else f"The output, channel {number}"
        blocks.append(Section(title, _rows(channel)))
    return blocks


def _rows(matrix: Float[Tensor, "h w"]) -> tuple[Text, ...]:
    """Numbers one below the other."""
    cells = [[formatted(value + 0.0, ".6g") for value in row] for row in matrix.tolist()]
    width = max(len(cell) for row in cells for cell in row)
    return tuple(Text("  " + "  ".join(f"{cell:>{width}}" for cell in row)) for row in cells)
