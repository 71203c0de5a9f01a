import json

import pytest
import typer
from typer.testing import CliRunner

from cnnlab.project.command import doctor
from cnnlab.project.doctor import Check

FINE = Check("Python", "ok", "3.11.7")
ODD = Check("disk", "warn", "2.0 GB free", "delete old runs")
BROKEN = Check("torchvision", "fail", "from two places", "python -m pip install 'torchvision==0.29.*' " + "x" * 100)


@pytest.fixture
def run(monkeypatch):
    app = typer.Typer()
    app.command()(doctor)

    def call(*checks, arguments=()):
        monkeypatch.setattr("cnnlab.project.doctor.examine", lambda runs: checks)
        return CliRunner().invoke(app, list(arguments))

    return call


def test_all_is_well(run):
    result = run(FINE)
    assert result.exit_code == 0
    assert result.stdout == "ok  Python  3.11.7\n\neverything that cnnlab needs is here; start with cnnlab train\n"


def test_a_warning_says_the_way_out_and_is_no_failure(run):
    result = run(FINE, ODD)
    assert result.exit_code == 0
    assert "\ndisk: delete old runs\n" in result.stdout


def test_a_failure_keeps_the_command_that_mends_it_on_one_line(run):
    result = run(FINE, BROKEN)
    assert result.exit_code == 1
    assert f"\ntorchvision: {BROKEN.remedy}\n" in result.stdout
    assert "everything" not in result.stdout


def test_json(run):
    result = run(FINE, BROKEN, arguments=["--json"])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["ok"] is False
    assert document["checks"][1] == {
        "name": "torchvision", "state": "fail", "found": "from two places", "remedy": BROKEN.remedy
    }  # fmt: skip
