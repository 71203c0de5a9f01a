"""The options of a registered function in the words of a config file, read from its JSON Schema."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from cnnlab.config.schema import model_schema
from cnnlab.core.registry import Entry

NUMBERS = {"integer": "whole number", "number": "number"}


@dataclass(frozen=True)
class Option:
    """One option: its type in words, and its default as it would be written (None: it must be given)."""

    name: str
    type: str
    default: str | None
    description: str = ""


def options_of(entry: Entry) -> tuple[Option, ...]:
    """The options of `entry`, those that must be given first."""
    schema = model_schema(entry.options)
    found = [
        Option(
            name,
            in_words(part),
            flow(_short(part["default"], part)) if "default" in part else None,
            part.get("description", ""),
        )
        for name, part in schema.get("properties", {}).items()
    ]
    return tuple(sorted(found, key=lambda option: option.default is not None))


def example_of(entry: Entry) -> dict[str, Any] | str:
    """A component that is right: the options that must be given, with likely values, or all at their defaults."""
    properties = model_schema(entry.options).get("properties", {})
    needed = {name: LIKELY.get(name, _any(part)) for name, part in properties.items() if "default" not in part}
    options = needed or {name: _short(part["default"], part) for name, part in properties.items()}
    return {entry.name: options} if options else entry.name


LIKELY: dict[str, Any] = {
    "channels": 64,
    "features": 128,
    "times": 3,
    "milestones": [15, 25],
    "path": "images",
    "layers": [{"conv_bn_act": {"channels": 64}}, {"conv": {"channels": 64}}],
    "branches": [[{"conv": {"channels": 32, "kernel": 1}}], [{"conv": {"channels": 32, "kernel": 3}}]],
}
"""Values for an example, by the name of the option."""


def flow(value: Any) -> str:
    """A value on one line, as YAML: `[3, 4]`, `{batch_norm: {eps: 1e-05}}`, `null`."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True)
    # YAML 1.1 wants a dot in every number with an exponent; a config does not
    return re.sub(r"\b(\d+)\.0e", r"\1e", text.removesuffix("\n").removesuffix("\n..."))


def _short(value: Any, schema: dict[str, Any]) -> Any:
    """One number for two equal ones where either will do."""
    alone = any(part.get("type") in NUMBERS for part in schema.get("anyOf", ()))
    return value[0] if alone and isinstance(value, list) and len(value) == 2 and value[0] == value[1] else value


def in_words(schema: dict[str, Any]) -> str:
    """The type that a schema describes: `whole number > 0`, `zero | reflect`, `list of layer`."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(in_words(part) for part in schema["anyOf"]))
    if "registry" in schema:
        return str(schema["registry"])
    if "const" in schema:
        return flow(schema["const"])
    if "enum" in schema:
        return " | ".join(map(flow, schema["enum"]))
    kind = schema.get("type")
    if kind in NUMBERS:
        return NUMBERS[kind] + _range(schema)
    if kind == "array":
        least, most = schema.get("minItems"), schema.get("maxItems")
        count = f"{least} × " if least == most and least else "list of "
        return count + in_words(schema.get("items", {}))
    return {"boolean": "true | false", "string": "text", "null": "null", "object": "mapping"}.get(str(kind), "value")


def _range(schema: dict[str, Any]) -> str:
    """` > 0`, ` ≥ 0, < 1`, or nothing."""
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return f" {', '.join(bounds)}" if bounds else ""


def _any(schema: dict[str, Any]) -> Any:
    """Some value that a schema allows."""
    if "anyOf" in schema:
        return _any(schema["anyOf"][0])
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type")
    if kind in NUMBERS:
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        return min(low, schema.get("maximum", low))
    if kind == "array":
        return [_any(schema.get("items", {}))] * max(1, schema.get("minItems", 1))
    return {"boolean": True, "object": {}}.get(str(kind), "text")
