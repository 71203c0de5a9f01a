"""The arithmetic of layers as one JSON document: pairs are [vertical, horizontal], pixels those of the input."""

from collections.abc import Sequence
from typing import Any

from cnnlab.layers_lab.alternatives import Alternative
from cnnlab.layers_lab.parts import without_owner
from cnnlab.layers_lab.stack import Arithmetic, Part
from cnnlab.layers_lab.unit import Unit


def layer_document(
    facts: Arithmetic,
    alternatives: Sequence[Alternative],
    *,
    layer: object,
    image: Sequence[int],
    matrix: Sequence[Sequence[float]] | None = None,
    result: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """What `--json` prints; `layer` as it would be written in a config, `image` before it was flattened."""
    document = {"layer": layer, "picture": tuple(image), **arithmetic_document(facts)}
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
        for a in alternatives
    ]
    if matrix is not None and result is not None:
        document |= {"matrix": matrix, "result": result}
    return document


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
