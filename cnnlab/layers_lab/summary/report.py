"""A network layer by layer: shapes, parameters, multiply-accumulates, memory, receptive fields, gains of sharing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from cnnlab.core.characters import some
from cnnlab.network.preparation import Preparation
from cnnlab.receptive_field.fields import Field, Fields
from cnnlab.receptive_field.report import ON_VALUES, size_of
from cnnlab.runs.record import RunRecord
from cnnlab.view.blocks import NOTHING, Block, Cell, Column, Number, Numbers, Report, Table, Text
from cnnlab.view.layer_rows import at_depth, pair_text, size_text
from cnnlab.walk.costs import ITSELF, Costs, LayerCost

MIB = 2**20

SHOWN = 4
"""Classes that are named."""

MARKS = {
    "(shared)": " (shared): weights that an earlier layer has too, counted there.",
    "unused)": " (unused): parameters that no operation of this pass, in evaluation mode, reads.",
    "at least)": " (MACs: at least): an operation does more that cannot be counted.",
}
"""What stands behind the kind of a layer, and what the note says of it."""


@dataclass(frozen=True)
class Weights:
    """What a network's weights are, and the images and classes that belong to them."""

    title: str
    file: str
    preparation: Preparation | None
    """None where nothing is known of the statistics of its images."""
    classes: tuple[str, ...]
    """Their names, where they are known."""


@dataclass(frozen=True, eq=False)
class Summary:
    """What a walk found, for the table."""

    costs: Costs
    fields: Fields
    weights: Weights | None = None
    """Where they are from a file."""
    record: RunRecord | None = None
    """Of the run whose network it is."""


def summary_report(found: Summary, *, name: str, depth: int | None = None, explain: bool = False) -> Report:
    """The table with its totals; rows of equal blocks that follow one another become one.

    explain: the output-size formula of each layer with a window, and the weights that it would have without sharing.
    """
    costs, fields = found.costs, found.fields
    rows = at_depth(costs.rows, depth)
    blocks: list[Block] = [
        _totals(costs),
        *weights_blocks(found.weights),
        *training_blocks(found.record),
        _table(rows, {field.name: field for field in fields.layers}),
    ]
    if explain:
        tables = (_formulas(rows if depth else [row for row in costs.rows if row.leaf]), _sharing(costs))
        blocks += [table for table in tables if table.rows]
    if fields.walk.on_values:
        blocks.append(Text(ON_VALUES, "note"))
    return Report(f"Summary of {name}", tuple(blocks), f"For one image of {size_text(fields.shape)}.")


def summary_blocks(found: Summary) -> tuple[Block, ...]:
    """Totals and table, for a report on more than this."""
    rows = at_depth(found.costs.rows)
    return _totals(found.costs), _table(rows, {field.name: field for field in found.fields.layers})


def weights_blocks(weights: Weights | None) -> list[Block]:
    """What the weights are, how images are prepared for them, and what their classes are called."""
    if weights is None:
        return []
    place = "" if weights.file in weights.title else f" ({weights.file})"
    blocks: list[Block] = [Text(f"{weights.title}{place}", label="weights")]
    if weights.preparation is not None:
        blocks.append(Text(weights.preparation.sentence, label="preparation"))
    if weights.classes:
        blocks.append(Text(f"{len(weights.classes):,}: {some(weights.classes, SHOWN)}", label="classes"))
    return blocks


def training_blocks(record: RunRecord | None) -> list[Block]:
    """What the training of a run began with, and how much of the network learned, where that is not all."""
    if record is None:
        return []
    blocks: list[Block] = [] if record.inherited is None else [Text(record.inherited.sentence, label="begun")]
    if record.learned:
        blocks.append(Text(f"of {record.parameters:,} parameters {record.learned}", label="trained"))
    return blocks


def _totals(costs: Costs) -> Numbers:
    trained = costs.training_bytes
    numbers = [
        Number("parameters", costs.parameters, ",d", detail=_trainable(costs)),
        Number("multiply-accumulates", costs.macs / 1e6, ",.1f" if costs.macs >= 1e7 else ",.3f", "M", _counted(costs)),
        Number("parameter memory", costs.parameters * 4 / MIB, ",.2f", "MiB", "in float32"),
        Number("activations, inference", costs.inference_bytes / MIB, ",.2f", "MiB", "the most alive at once"),
        Number(
            "activations, training", None if trained is None else trained / MIB, ",.2f", "MiB",
            "kept for backward, for each image of a batch",
        ),
    ]  # fmt: skip
    return Numbers(tuple(numbers))


def _counted(costs: Costs) -> str:
    if not costs.uncounted:
        return "for one image; a FLOP count is twice that"
    names = ", ".join(dict.fromkeys(name for name, _ in costs.uncounted))
    return f"at least, for one image: those of {names} cannot be counted; a FLOP count is twice that"


def _trainable(costs: Costs) -> str:
    frozen = costs.parameters - costs.trainable
    parts = [f"{frozen:,} of them frozen"] if frozen else []
    parts += [f"{costs.unused:,} unused"] if costs.unused else []
    parts += [f"and {costs.buffers:,} numbers that are kept and not learned"] if costs.buffers else []
    return " ".join(parts)


def _table(rows: Sequence[LayerCost], fields: dict[str, Field]) -> Table:
    columns = (
        Column("layer"), Column("kind"), Column("output"), Column("parameters", "", "right", ",d"),
        Column("MACs", "M", "right", ",.2f"), Column("output", "KiB", "right", ",.1f"),
        Column("kept to train", "KiB", "right", ",.1f"), Column("r", "px", "right"), Column("S", "px", "right"),
    )  # fmt: skip
    made = [_row(list(run), fields) for _, run in groupby(rows, key=_alike)]
    note = "r: the receptive field, S: pixels from one unit's field to the next."
    marks = " ".join(row[1] for row in made if isinstance(row[1], str))
    note += "".join(text for mark, text in MARKS.items() if mark in marks)
    if any(row.name.endswith(ITSELF) for row in rows):
        note += f" {ITSELF}: the code of a layer made of layers."
    if any(field is not None and not field.exact for field in (fields.get(row.name) for row in rows)):
        note += " ≥: the border clips it everywhere, so that this is a lower bound."
    return Table("Layers", columns, tuple(made), note, "layers")


def _alike(row: LayerCost) -> tuple[object, ...]:
    """Blocks are collapsed that hold layers, cost the same and put out the same; leaves never."""
    if row.leaf:
        return (row.name,)
    above = row.name.rpartition(".")[0]
    return (row.kind, row.inputs, row.output, row.parameters, row.unused, row.macs, row.macs_at_least, above)


def _row(group: Sequence[LayerCost], fields: dict[str, Field]) -> tuple[Cell, ...]:
    first, last, count = group[0], group[-1], len(group)
    name = first.name or ITSELF if count == 1 else f"{first.name} … {last.name.rpartition('.')[2]} ({count}×)"
    field = fields.get(last.name)
    saved = [row.saved_bytes for row in group]
    marks = ["(shared)"] if first.shared and not first.parameters else []
    marks += ["(unused)"] if first.unused and first.unused == first.parameters else []
    marks += ["(partly unused)"] if 0 < first.unused < first.parameters else []
    marks += ["(MACs: at least)"] if first.macs_at_least else []
    return (
        name,
        " ".join([first.kind, *marks]),
        size_text(first.output, "×") or NOTHING,
        sum(row.parameters for row in group) or None,
        (sum(row.macs for row in group) / 1e6) or None,
        last.activation_bytes / 1024 or None,
        None if None in saved else sum(value or 0 for value in saved) / 1024,
        "–" if field is None else size_of(field),
        "–" if field is None else pair_text(field.stride),
    )


def _formulas(rows: Sequence[LayerCost]) -> Table:
    made = [(row.name, " and ".join(dict.fromkeys(row.formula))) for row in rows if row.formula]
    columns = (Column("layer"), Column("size = floor((n + 2p − d(k−1) − 1)/s) + 1"))
    return Table("Output sizes", columns, tuple(made), name="formulas")


def _sharing(costs: Costs) -> Table:
    """Each convolution against a dense and a locally connected layer of the same shape."""
    columns = (
        Column("convolution"), Column("weights", "", "right", ",d"),
        Column("locally connected", "", "right", ",d"), Column("", "×", "right", ",.0f"),
        Column("dense", "", "right", ",d"), Column("", "×", "right", ",.0f"),
    )  # fmt: skip
    rows = []
    for row in costs.layers:
        if row.dense_weights and row.local_weights and row.weights:
            local, dense = row.local_weights, row.dense_weights
            rows.append((row.name, row.weights, local, local / row.weights, dense, dense / row.weights))
    note = "Weights without biases. Locally connected: the same windows, weights of their own at each place."
    return Table("What weight sharing saves", columns, tuple(rows), note, "sharing")


NO_R = dict.fromkeys(("r", "exact", "stride", "global"))
"""Of what has no receptive field."""


def summary_json(found: Summary, name: str) -> dict[str, object]:
    """`--json`."""
    costs = found.costs
    fields = {field.name: field for field in found.fields.layers}
    layers = []
    for row in costs.layers:
        field = fields.get(row.name)
        measured = {name: value for name, value in vars(row).items() if name != "weights"}
        r = (
            {"r": field.size, "exact": field.exact, "stride": field.stride, "global": field.is_global}
            if field
            else NO_R
        )
        layers.append(measured | r)
    return {
        "model": name,
        "input": found.fields.shape,
        "parameters": costs.parameters,
        "trainable": costs.trainable,
        "buffers": costs.buffers,
        "unused": costs.unused,
        "macs": costs.macs,
        "macs_at_least": bool(costs.uncounted),
        "uncounted": [{"operation": name, "layer": layer} for name, layer in costs.uncounted],
        "inference_bytes": costs.inference_bytes,
        "training_bytes": costs.training_bytes,
        "weights": None if found.weights is None else _weights_json(found.weights),
        "training": None if found.record is None else _training_json(found.record),
        "layers": layers,
    }


def _weights_json(weights: Weights) -> dict[str, object]:
    prepared = weights.preparation
    return {
        "title": weights.title,
        "file": weights.file,
        "preparation": None if prepared is None else prepared.as_json(),
        "classes": list(weights.classes),
    }


def _training_json(record: RunRecord) -> dict[str, object]:
    return {
        "trainable": record.trainable,
        "trainable_ever": record.trainable_ever,
        "inherited": None if record.inherited is None else vars(record.inherited),
    }
