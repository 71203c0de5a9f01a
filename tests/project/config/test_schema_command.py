import json

import typer
from typer.testing import CliRunner

from cnnlab.project.config.schema_command import schema

app = typer.Typer()
app.command()(schema)


def test_the_schema_goes_to_stdout_and_nothing_else():
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == "cnnlab config"
    assert result.stderr == ""


def test_or_to_a_file_with_the_line_that_an_editor_needs(tmp_path):
    out = tmp_path / "configs" / "config.schema.json"
    result = CliRunner().invoke(app, ["--out", str(out)])
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "# yaml-language-server: $schema=config.schema.json" in result.stderr
    assert json.loads(out.read_text())["title"] == "cnnlab config"
