"""A network in Python in a config: how it is written, read, changed on the command line, and written again."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cnnlab.config.config import Config, check_config
from cnnlab.config.schema import config_schema
from cnnlab.core.errors import ConfigError
from cnnlab.core.yaml import as_python, parse
from cnnlab.models.own_model import OwnModel

SCHEMA = Draft202012Validator(config_schema())


def read(text: str, *overrides: str, base: Path = Path(), allowed: bool = True) -> Config:
    tree = parse(text, "c.yaml")
    return check_config(tree, overrides, default_name="c", base=base, allow_plugins=allowed)


def model(text: str, *overrides: str) -> OwnModel:
    found = read(text, *overrides).model
    assert isinstance(found, OwnModel)
    return found


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("20", 20),
        ("'20'", "20"),
        ("1e-3", 0.001),
        ("'1e-3'", "1e-3"),
        ("true", True),
        ("yes", "yes"),
        ("null", None),
        (".inf", float("inf")),
        ("0x10", 16),
        ("0o17", 15),
        ("017", 17),
        ("1_000", "1_000"),
        ("2020-01-01", "2020-01-01"),
        ("12:30", "12:30"),
        ("[1, '2', {a: 1.5}]", [1, "2", {"a": 1.5}]),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_options_are_typed_as_yaml_types_them_and_read_back_the_same(written: str, value: Any) -> None:
    config = read(f"model: {{python: net.py:build, options: {{x: {written}}}}}")
    assert isinstance(config.model, OwnModel)
    assert config.model.options == {"x": value}
    assert type(config.model.options["x"]) is type(value)
    again = read(config.as_yaml())
    assert again == config
    assert again.as_yaml() == config.as_yaml()


def test_arguments_in_the_text_and_in_the_options_are_one() -> None:
    own = model("model: {python: 'net.py:build(3, width=16)', options: {depth: 20}}").own
    assert (own.place, own.name, own.positional, own.options) == ("net.py", "build", (3,), {"width": 16, "depth": 20})
    assert model("model: {python: net.py:build, options: }").own.options == {}


def test_the_initialization_is_asked_for_or_the_networks_own() -> None:
    own = "model: {python: net.py:build}\n"
    assert read(own).initialization is None
    assert read(own + "initialization: null").initialization is None
    asked = read(own + "initialization: default").initialization
    assert asked is not None
    assert asked.name == "default"
    layers = read("model: [global_avg_pool, linear]").initialization
    assert layers is not None
    assert layers.name == "default"


def test_overrides_reach_into_it() -> None:
    text = "model: {python: net.py:build, options: {depth: 20, more: {a: 1}}}"
    found = model(text, "model.options.depth=32", "model.options.more.b=x", "model.python=other.py:build")
    assert (found.python, found.options) == ("other.py:build", {"depth": 32, "more": {"a": 1, "b": "x"}})
    assert model("model: {python: net.py:build}", "model.options.depth=32").options == {"depth": 32}
    assert model("model: [linear]", "model={python: net.py:build}").python == "net.py:build"
    layers = read(text, "model=[global_avg_pool, linear]").model
    assert isinstance(layers, list)


@pytest.mark.parametrize(
    ("text", "overrides", "said"),
    [
        ("model: {python: net.py:build}", ["model.0=conv"], "no option '0'; known: python, options"),
        ("model: [linear]", ["model.python=net.py:build"], "'model' is a list of 1, counted from 0; 'python' is not"),
        ("model: {python: net.py:build, options: 3}", [], "c.yaml:1:31: 'options' is '3', expected a mapping"),
        ("model: {python: [1]}", [], "c.yaml:1:9: 'python' is a list of 1, expected a text"),
        ("model: {python: }", [], "c.yaml:1:9: 'python' is empty, expected a text"),
        ("model: {python: runs/mine}", [], "c.yaml:1:9: 'python': 'runs/mine' names no network in it"),
        ("model: {python: 'net.py:build(x)'}", [], "are no literals"),
        ("model: {conv: {channels: 3}}", [], "c.yaml:1:1: 'model' is a mapping, expected a list"),
    ],
)
def test_what_is_refused(text: str, overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, *overrides)
    assert said in str(caught.value)


def test_it_needs_permission_wherever_it_is_written() -> None:
    for text, overrides in (("model: {python: net.py:build}", ()), ("model: [linear]", ("model={python: a.py:b}",))):
        with pytest.raises(ConfigError, match="allow_plugins=True"):
            read(text, *overrides, allowed=False)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("model: {python: net.py:build}", True),
        ("model: {python: net.py:build, options: {depth: 20, x: [1, {y: null}]}}", True),
        ("model: [global_avg_pool, linear]", True),
        ("model: {python: net.py:build}\ninitialization: null", True),
        ("model: {options: {}}", False),
        ("model: {python: net.py:build, option: {}}", False),
        ("model: {python: net.py:build, options: [1]}", False),
        ("model: []", False),
        ("model: net.py:build", False),
    ],
)
def test_the_schema_knows_both_forms(text: str, fine: bool) -> None:
    assert SCHEMA.is_valid(as_python(parse(text, "c.yaml"))) is fine


def test_a_file_starts_at_the_configs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, here = tmp_path / "configs", tmp_path / "here"
    inside.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    (here / "net.py").write_text("")

    def base(text: str, *overrides: str) -> Path:
        found = read(text, *overrides, base=inside).model
        assert isinstance(found, OwnModel)
        return found.base

    assert base("model: {python: net.py:build}") == inside, "what a file says never means the working folder"
    assert base("model: [linear]", "model={python: net.py:build}") == Path(), "what is typed may"
    (inside / "net.py").write_text("")
    assert base("model: [linear]", "model={python: net.py:build}") == inside
