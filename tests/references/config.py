"""docs/reference/config.md: every key of a config, from its pydantic models."""

from collections.abc import Iterator
from typing import Any

from references.components import title
from references.markdown import anchor, code, line, table

from cnnlab.config.config import Config
from cnnlab.config.schema import model_schema
from cnnlab.project.listing import KINDS, flow, in_words

HEAD = """\
# A config, key by key

One table for the top level of the file and one for each mapping in it. On the command line a key is written with dots:
`cnnlab train CONFIG training.epochs=60`. `cnnlab schema` gives the same as a JSON Schema, by which an editor completes
and checks; [configs.md](../configs.md) shows a whole config.
"""


def page() -> str:
    """The whole page."""
    schema = model_schema(Config)
    parts = [HEAD.rstrip(), "## The top level", _table("", schema, schema)]
    for key, part, many in _sections(schema, schema):
        heading = f"## {key}{', a list' if many else ''}"
        parts += [heading, line(part["description"]), _table(f"{key}.", part, schema)]
    return "\n\n".join(parts) + "\n"


def all_keys() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key with its schema, those of mappings after a dot."""
    schema = model_schema(Config)
    yield from schema["properties"].items()
    for key, part, _ in _sections(schema, schema):
        for name, value in part["properties"].items():
            yield f"{key}.{name}", value


def _sections(schema: dict[str, Any], part: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, bool]]:
    """The mappings in a part of a config, and those in them: (key, schema, whether it is a list of them)."""
    for name, value in part["properties"].items():
        key = f"{prefix}{name}"
        if definition := _reference(value):
            inner = schema["$defs"][definition]
            yield key, inner, value.get("type") == "array"
            yield from _sections(schema, inner, f"{key}.")
        for form in value.get("oneOf", ()):
            if "$ref" in form:
                yield key, schema["$defs"][form["$ref"].rsplit("/", 1)[-1]], False


def _reference(value: dict[str, Any]) -> str | None:
    """The definition that a property is made of, alone, in a list or beside null."""
    ways = [value, value.get("items", {}), *value.get("anyOf", ())]
    return next((way["$ref"].rsplit("/", 1)[-1] for way in ways if "$ref" in way), None)


def _table(prefix: str, part: dict[str, Any], schema: dict[str, Any]) -> str:
    rows = [_row(prefix, key, value, schema) for key, value in part["properties"].items()]
    return table(["key", "type", "default", "meaning"], rows)


def _row(prefix: str, key: str, value: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    if name := _reference(value):
        many = value.get("type") == "array"
        heading = f"{prefix}{key}, a list" if many else f"{prefix}{key}"
        sentence = line(schema["$defs"][name]["description"])
        absent = "`null`" if "anyOf" in value else "`[]`" if many else "below"
        return [
            f"[{code(f'{prefix}{key}')}](#{anchor(heading)})",
            "list of mappings" if many else "mapping",
            absent,
            sentence,
        ]
    default = code(flow(value["default"])) if "default" in value else "needed"
    return [code(f"{prefix}{key}"), _type(value), default, line(value.get("description", ""))]


def _type(value: dict[str, Any]) -> str:
    """The type in words; the name of a registry leads to its entries."""
    words = line(in_words(value))
    for kind, where in KINDS.items():
        if where.registry in _registries(value):
            words = words.replace(where.registry, f"[{where.registry}](layers.md#{anchor(title(kind))})")
    return words


def _registries(value: dict[str, Any]) -> set[str]:
    parts = (*value.get("anyOf", ()), *value.get("oneOf", ()))
    ways = [value, value.get("items", {}), *parts, *(part.get("items", {}) for part in parts)]
    return {way["registry"] for way in ways if "registry" in way}
