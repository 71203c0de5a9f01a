"""The oracle is jsonschema, with its check of the schema against the dialect's own."""

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cnnlab.config.config import read_config
from cnnlab.config.schema import config_schema
from cnnlab.core.registry import Registry
from cnnlab.core.yaml import Items, Table, load, parse
from cnnlab.project.listing import KINDS, listed, listed_configs

CONFIGS = [config.path for config in listed_configs()]
SCHEMA = config_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def typed(node):
    """The tree with its plain scalars resolved as YAML 1.2 says (core schema, https://yaml.org/spec/1.2.2/#103)."""
    if isinstance(node, Table):
        return {key: typed(value) for key, value in node.items()}
    if isinstance(node, Items):
        return [typed(value) for value in node]
    if node is None or not isinstance(node, str):
        return node
    if node in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return node.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]+", node):
        return int(node)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", node):
        return float(node)
    return str(node)


def complaints(text):
    return list(VALIDATOR.iter_errors(typed(parse(text, "test"))))


def test_it_is_a_schema_of_its_dialect():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_no_placeholder_is_left_and_every_reference_leads_somewhere():
    found = []

    def walk(node):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            assert key != "registry"
            if key == "$ref":
                found.append(value)
            walk(value)

    walk(SCHEMA)
    assert {reference.removeprefix("#/$defs/") for reference in found} == set(SCHEMA["$defs"])
    assert {kind.registry for kind in KINDS.values()} <= set(SCHEMA["$defs"])


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_that_comes_with_cnnlab_is_valid(path):
    assert list(VALIDATOR.iter_errors(typed(load(path)))) == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_and_so_is_what_config_show_prints_of_it(path, tmp_path):
    shown = tmp_path / "shown.yaml"
    shown.write_text(read_config(Path(path)).as_yaml())
    assert list(VALIDATOR.iter_errors(typed(load(shown)))) == []


@pytest.mark.parametrize(
    "entry", [entry for kind in KINDS for entry in listed(kind)], ids=lambda entry: f"{entry.kind}-{entry.name}"
)
def test_every_entry_is_allowed_in_its_place(entry):
    model = "" if entry.kind == "layers" else "model: [linear]\n"
    assert complaints(model + entry.example) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_alone_is_allowed_where_no_option_is_required(kind):
    ways = SCHEMA["$defs"][KINDS[kind].registry]["anyOf"]
    alone = {way["const"] for way in ways if "const" in way}
    entries = Registry.of(KINDS[kind].registry)
    assert alone == {
        entry.name for entry in entries if not any(f.is_required() for f in entry.options.model_fields.values())
    }
    assert all(way.get("description", way.get("properties")) for way in ways)


@pytest.mark.parametrize(
    "text",
    [
        "model: []",
        "seed: 1",  # no model
        "model: [lineer]",
        "model: [conv]",  # needs channels
        "model: [{conv: {channels: 0}}]",
        "model: [{conv: {channels: 8, colour: red}}]",
        "model: [{conv: {channels: 8}, relu: null}]",
        "model: [{residual: {layers: [lineer]}}]",
        "model: [linear]\nmodle: 1",
        "model: [linear]\nseed: -1",
        "model: [linear]\ntraining: {epochs: three}",
        "model: [linear]\noptimizer: {sgd: {lr: 0}}",
        "model: [linear]\nclipping: {norm: {maximum: many}}",
    ],
)
def test_what_a_config_may_not_say(text):
    assert complaints(text)


@pytest.mark.parametrize(
    "text", ["model: [linear]", "model: [linear: ]", "model: [linear]\nclipping: ~\noptimizer: {sgd: {lr: 5e-4}}"]
)
def test_what_a_config_may_say(text):
    assert not complaints(text)


BLOCKS = "blocks: {b: {arguments: {width: , stride: 1}, layers: [conv: {channels: $width * 2}]}}\n"


@pytest.mark.parametrize("use", ["b", "b: {width: 1}", "residual: {layers: [b: {width: 1}]}", "linear"])
def test_a_layer_may_be_a_block_where_there_are_blocks(use):
    assert not complaints(BLOCKS + f"model: [{use}]")
    assert bool(complaints(f"model: [{use}]")) == ("b" in use)


def test_a_block_has_layers():
    assert complaints("blocks: {b: {arguments: {width: 1}}}\nmodel: [linear]")
