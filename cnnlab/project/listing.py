"""`cnnlab list`: what a config and `--method` can name, from the registries, and the configs that come with cnnlab."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from cnnlab.config.schema import model_schema
from cnnlab.config.shipped import shipped_config, shipped_configs
from cnnlab.core.errors import RequestError, did_you_mean, unknown
from cnnlab.core.registry import Entry, Registry

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
    "name": "stem",
    "features": 128,
    "factor": 0.5,
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
    if parts := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(in_words, parts)))
    if "$ref" in schema:
        return "mapping"
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


MODELS = "models"


@dataclass(frozen=True)
class Kind:
    """A registry by the word that lists it: the module that fills it, and where in a config its entries stand."""

    registry: str
    catalog: str
    path: tuple[str, ...]
    many: bool = False
    """Whether a list stands there."""
    where: str = "in a config"
    """The place at which its entries are named."""
    besides: str = ""
    """What may stand there in place of the entries."""
    command: str = ""
    """How an entry is named on a command line, {} in its place; empty for those of a config."""


OWN_MODEL = "in place of a list of layers, a network of your own: model: {python: net.py:build, options: {depth: 20}}"

KINDS = {
    "layers": Kind("layer", "cnnlab.models.catalog", ("model",), many=True, besides=OWN_MODEL),
    "initializations": Kind("initialization", "cnnlab.models.catalog", ("initialization",)),
    "datasets": Kind("dataset", "cnnlab.data.catalog", ("data", "dataset")),
    "augmentations": Kind("augmentation", "cnnlab.data.catalog", ("data", "augment"), many=True),
    "losses": Kind("loss", "cnnlab.fit.catalog", ("loss",)),
    "optimizers": Kind("optimizer", "cnnlab.fit.catalog", ("optimizer",)),
    "schedules": Kind("schedule", "cnnlab.fit.catalog", ("schedule",)),
    "clippings": Kind("clipping", "cnnlab.fit.catalog", ("clipping",)),
}


METHODS = "methods"
HERE = "on the command line"
KINDS_LISTED = KINDS | {
    METHODS: Kind("method", "cnnlab.attribution.catalog", (), where=HERE, command="--method {}"),
    "kernels": Kind("kernel", "cnnlab.models.kernels", (), where=HERE, command="cnnlab kernel {} photo.jpg"),
    "scores": Kind("score", "cnnlab.rejection.scores", (), where=HERE, command="cnnlab reject cifar --score {}"),
    "outsiders": Kind(
        "outsider", "cnnlab.rejection.outsiders", (), where=HERE, command="cnnlab reject cifar --outside {}"
    ),
}


@dataclass(frozen=True)
class Listed:
    """Something that a config or an option of a command can name."""

    kind: str
    name: str
    summary: str
    """The first line of `doc`."""
    doc: str
    options: tuple[Option, ...]
    example: str
    """YAML, from the top level of a config, or a command."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else is known of it, such as its paper."""

    @property
    def where(self) -> str:
        """The place at which it is named."""
        return KINDS_LISTED[self.kind].where

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints, facts beside the rest."""
        fields: dict[str, Any] = asdict(self)
        facts = fields.pop("facts")
        return {**fields, **facts}


@dataclass(frozen=True)
class ListedConfig:
    """A config that comes with cnnlab."""

    name: str
    path: Path
    summary: str
    """The first line of its header."""
    text: str


def listed(kind: str) -> tuple[Listed, ...]:
    """Everything of a kind ("layers", …) by name.

    Raises: RequestError for a kind that is not there, with the nearest.
    """
    if kind not in KINDS_LISTED:
        raise RequestError(f"no list '{kind}'; there are {', '.join([*KINDS_LISTED, MODELS])}.{_nearest_kind(kind)}")
    import_module(KINDS_LISTED[kind].catalog)
    entries = sorted(Registry.of(KINDS_LISTED[kind].registry), key=lambda entry: entry.name)
    return tuple(_listed(kind, entry) for entry in entries)


def find(kind: str, name: str) -> Listed:
    """The entry of that name.

    Raises: RequestError for a kind or a name that is not there, with the nearest.
    """
    entries = {entry.name: entry for entry in listed(kind)}
    if name not in entries:
        raise RequestError(unknown(KINDS_LISTED[kind].registry, name, entries))
    return entries[name]


def listed_configs() -> tuple[ListedConfig, ...]:
    """The configs that come with cnnlab, by name."""
    return tuple(_config(name, path) for name, path in shipped_configs().items())


def find_config(name: str) -> ListedConfig:
    """The config of that name, or whose name ends so.

    Raises: RequestError for one that is not there, with the nearest, and for a name that several share.
    """
    path = shipped_config(name)
    if path is None:
        raise RequestError(unknown("config", name.removesuffix(".yaml"), shipped_configs()))
    named = {file: known for known, file in shipped_configs().items()}
    return _config(named[path], path)


def _listed(kind: str, entry: Entry) -> Listed:
    options = options_of(entry)
    command = KINDS_LISTED[kind].command
    example = command.format(_written(entry.name, options)) if command else _example(KINDS[kind], entry)
    told: Mapping[str, str] = getattr(entry.facts, "told", {})
    return Listed(kind, entry.name, entry.summary, entry.doc, options, example, told)


def _written(name: str, options: Sequence[Option]) -> str:
    """The entry on a command line, with every option at its default."""
    chosen = ",".join(f"{option.name}={option.default}" for option in options)
    return name + (f":{chosen}" if chosen else "")


def _example(kind: Kind, entry: Entry) -> str:
    """The entry as it is written in a config, and where."""
    example = example_of(entry)
    *outer, last = kind.path
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(outer)]
    indent = "  " * len(outer)
    if isinstance(example, str):
        lines += [f"{indent}{last}:", f"{indent}  - {example}"] if kind.many else [f"{indent}{last}: {example}"]
        return "\n".join(lines)
    written = f"{entry.name}: {flow(example[entry.name])}"
    if len(written) > 90:  # too long for a line: one option a line
        depth = "      " if kind.many else "    "
        rows = [f"{indent}{depth}{option}: {flow(value)}" for option, value in example[entry.name].items()]
        written = "\n".join([f"{entry.name}:", *rows])
    return "\n".join([*lines, f"{indent}{last}:", f"{indent}  {'- ' if kind.many else ''}{written}"])


def _config(name: str, path: Path) -> ListedConfig:
    text = path.read_text(encoding="utf-8")
    first = next((line for line in text.splitlines() if line.startswith("#")), "")
    return ListedConfig(name, path, re.sub(r"^#\s*(What:\s*)?", "", first), text)


def _nearest_kind(word: str) -> str:
    return did_you_mean(word, [*KINDS_LISTED, MODELS])
