"""`cnnlab schema`: the JSON Schema (draft 2020-12) of a config, for editors.

Where a config names a component, pydantic leaves `{"registry": kind}` (see `Chosen`); here that becomes a reference to
a definition with every registered name and the options of each.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

import cnnlab.data.catalog
import cnnlab.fit.catalog  # noqa: F401  the three fill the registries
from cnnlab.config.config import Config
from cnnlab.core.registry import Entry, Registry, as_data
from cnnlab.models.layers.composite import BLOCK_NAME

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = "#/$defs/{}"


def config_schema() -> Schema:
    """The schema of a whole config file.

    Scalars are typed as YAML 1.2 types them: an option that is a number takes a number, not its text.
    """
    definitions: dict[str, Schema] = {}
    root = _with_references(model_schema(Config), definitions)
    done: set[str] = set()
    while kinds := {kind for kind in definitions if kind not in done and not definitions[kind]}:
        for kind in sorted(kinds):
            done.add(kind)
            definitions[kind] = {"anyOf": [way for entry in Registry.of(kind) for way in _ways(entry, definitions)]}
    _let_blocks_stand(root, definitions)
    properties = {key: value for key, value in root.items() if key not in ("title", "description")}
    head = {"$schema": DIALECT, "title": "cnnlab config", "description": "A config of `cnnlab train`."}
    return {**head, **properties, "$defs": dict(sorted(definitions.items()))}


def _let_blocks_stand(root: Schema, definitions: dict[str, Schema]) -> None:
    """Where a config has `blocks`, a layer may have another name: which ones, no schema can say.

    Without them a layer is one of those that are known, and a slip of the pen is found in the editor.
    """
    anything = {"anyOf": [{"type": "string", "pattern": BLOCK_PATTERN}, _USE_OF_A_BLOCK]}
    strict, loose = "layer", "layer or block"
    model = root["properties"]["model"]
    definitions[loose] = {"anyOf": [*_renamed(definitions[strict], strict, loose)["anyOf"], *anything["anyOf"]]}
    root["properties"]["model"] = {"description": model["description"]}
    root["if"] = {"required": ["blocks"]}
    root["then"] = {"properties": {"model": _renamed(model, strict, loose)}}
    root["else"] = {"properties": {"model": model}}


BLOCK_PATTERN = f"^{BLOCK_NAME.pattern}$"
_USE_OF_A_BLOCK: Schema = {
    "description": "a block of this config, with its arguments",
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "patternProperties": {BLOCK_PATTERN: {"type": ["object", "null"]}},
    "additionalProperties": False,
}


def _renamed(node: Any, old: str, new: str) -> Any:
    """`node` with every reference to the definition `old` as one to `new`."""
    if isinstance(node, list):
        return [_renamed(item, old, new) for item in node]
    if isinstance(node, dict):
        return {key: _renamed(value, old, new) for key, value in node.items()}
    return REFERENCE.format(new) if node == REFERENCE.format(old) else node


def model_schema(model: type[BaseModel]) -> Schema:
    """pydantic's schema of a model, default components written as in YAML, and without the titles it makes up."""
    schema: Schema = model.model_json_schema(schema_generator=_Generator)
    return schema


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Defaults as they would be written in YAML."""
        return super().encode_default(as_data(dft))

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: pydantic's titles repeat the names."""
        return False


def _ways(entry: Entry, definitions: dict[str, Schema]) -> list[Schema]:
    """The ways to write a component: `name` (unless an option is required), and `name: {option: value}`."""
    options = _with_references(model_schema(entry.options), definitions)
    options.pop("title", None)
    options["description"] = entry.doc
    whole = {"type": "object", "required": [entry.name], "additionalProperties": False}
    if options.get("required"):
        return [{**whole, "properties": {entry.name: options}}]
    alone = {"const": entry.name, "description": entry.summary}
    value = {"anyOf": [options, {"type": "null"}], "description": entry.summary}
    return [alone, {**whole, "properties": {entry.name: value}}]


def _with_references(node: Any, definitions: dict[str, Schema]) -> Any:
    """`node` with registries as references; what it defines itself goes to `definitions`, an empty one per new kind."""
    if isinstance(node, list):
        return [_with_references(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("registry"), str):
        kind = node["registry"]
        definitions.setdefault(kind, {})
        return {"$ref": REFERENCE.format(kind)} | {key: value for key, value in node.items() if key != "registry"}
    for name, definition in node.get("$defs", {}).items():
        untitled = {key: value for key, value in definition.items() if key != "title"}
        definitions[name] = _with_references(untitled, definitions)
    return {key: _with_references(value, definitions) for key, value in node.items() if key != "$defs"}
