import json

import pytest
import typer
import yaml
from typer.testing import CliRunner

from cnnlab.config.config import read_config
from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.project.config.command import app, schema

SMALL = "model:\n  - conv: {channels: 4}\n  - global_avg_pool\n  - linear\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_check_says_what_the_config_makes(path):
    result = run("check", path)
    assert result.exit_code == 0
    assert result.stdout == f"{path}: fine: 3 layers, 162 parameters\n"


def test_overrides_and_a_given_image(path):
    document = json.loads(run("check", path, "model.0.channels=8", "--shape", "1,8,8", "--classes", 2, "--json").stdout)
    facts = {"layers": 3, "parameters": 98, "shape": [1, 8, 8], "classes": 2}
    assert document == {"fine": True, **facts, "parts": {}, "remarks": [], "trainable": 98, "inherited": None}


def test_every_mistake_with_its_place(path):
    path.write_text("model:\n  - conv: {chanels: 4}\n  - lineer\n")
    result = run("check", path)
    assert isinstance(result.exception, ConfigError)
    assert [problem.place for problem in result.exception.problems] == [f"{path}:2:11", f"{path}:2:12", f"{path}:3:5"]


def test_mistakes_as_json(path):
    path.write_text("model:\n  - lineer\n")
    result = run("check", path, "--json")
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert document["fine"] is False
    assert document["problems"][0]["place"] == f"{path}:2:5"
    path.write_text("model:\n  - conv: {channels: 4, kernel: 99, padding: 0}\n  - global_avg_pool\n  - linear\n")
    result = run("check", path, "--json")
    assert result.exit_code == 2
    assert "too small for a kernel of 99" in json.loads(result.stdout)["problems"][0]["message"]


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_config_that_is_not_there(command, tmp_path):
    result = run(command, tmp_path / "none.yaml")
    assert isinstance(result.exception, RequestError)
    assert "no such file" in str(result.exception)


def test_show_prints_a_config_that_reads_back_to_an_equal_one(path, tmp_path):
    result = run("show", path, "training.epochs=3")
    assert result.exit_code == 0
    shown = tmp_path / "shown.yaml"
    shown.write_text(result.stdout)
    assert read_config(shown) == read_config(path, ["training.epochs=3"])
    assert yaml.safe_load(result.stdout)["training"]["epochs"] == 3


def test_show_as_json(path):
    document = json.loads(run("show", path, "--json").stdout)
    assert document == read_config(path).as_data()


def schema_app(*arguments):
    alone = typer.Typer()
    alone.command()(schema)
    return CliRunner().invoke(alone, list(map(str, arguments)))


def test_the_schema_goes_to_stdout_and_nothing_else():
    result = schema_app()
    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == "cnnlab config"
    assert result.stderr == ""


def test_or_to_a_file_with_the_line_that_an_editor_needs(tmp_path):
    out = tmp_path / "configs" / "config.schema.json"
    result = schema_app("--out", out)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "# yaml-language-server: $schema=config.schema.json" in result.stderr
    assert json.loads(out.read_text())["title"] == "cnnlab config"
