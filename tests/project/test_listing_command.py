import json

import pytest
import typer
from typer.testing import CliRunner

from cnnlab.core.errors import RequestError
from cnnlab.project.command import WORDS, list_entries
from cnnlab.project.listing import KINDS_LISTED, MODELS

app = typer.Typer()
app.command()(list_entries)


def run(*arguments):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})


def test_the_words_of_the_help_are_the_kinds_that_there_are():
    assert set(WORDS) == {*KINDS_LISTED, MODELS}


def test_a_list_has_a_line_an_entry_and_its_options():
    lines = run("losses").stdout.splitlines()
    assert lines[0].startswith("cross_entropy  Cross-entropy of the softmax")
    assert lines[1].strip() == "label_smoothing=0.0, class_weights=none, reduction=mean"
    assert lines[-1] == "cnnlab list losses NAME shows one in full"


def test_without_a_kind_every_name():
    lines = run().stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(WORDS)
    assert set(json.loads(run("--json").stdout)) == set(WORDS)


def test_one_in_full():
    text = run("schedules", "step").stdout
    assert "milestones  list of number > 0  needed" in text
    assert text.endswith("in a config\nschedule:\n  step: {milestones: [15, 25]}\n")


def test_a_method_in_full_with_its_paper_ranges_and_sentences():
    text = run("methods", "rise").stdout
    assert "paper  arXiv:1806.07421" in text
    assert "keep     number > 0, < 1             0.5      Probability that a cell is open." in text
    assert text.endswith("on the command line\n--method rise:masks=500,cells=7,keep=0.5,centred=true\n")
    document = json.loads(run("methods", "rise", "--json").stdout)
    assert document["label"] == "RISE"
    assert document["options"][2] == {
        "name": "keep", "type": "number > 0, < 1", "default": "0.5", "description": "Probability that a cell is open."
    }  # fmt: skip


def test_brackets_in_a_docstring_are_no_markup():
    assert "targets are labels [n] or probabilities [n, classes]" in run("losses", "cross_entropy").stdout


def test_models_are_the_configs():
    text = run("models").stdout
    assert "cifar " in text
    assert "models are whole configs: cnnlab train NAME" in text
    assert "optimizer:" in run("models", "cifar").stdout


@pytest.mark.parametrize("kind", WORDS)
def test_json_lists(kind):
    document = json.loads(run(kind, "--json").stdout)
    assert all({"name", "summary"} <= set(entry) for entry in document)


def test_json_of_one():
    document = json.loads(run("layers", "conv", "--json").stdout)
    assert document["options"][0] == {
        "name": "channels", "type": "classes or whole number > 0", "default": None, "description": ""
    }  # fmt: skip
    assert json.loads(run("models", "cifar", "--json").stdout)["name"] == "cifar"


@pytest.mark.parametrize("arguments", [["layer"], ["layers", "cov"], ["models", "cifra"]])
def test_what_is_not_there_is_a_wrong_request(arguments):
    result = run(*arguments)
    assert isinstance(result.exception, RequestError)
    assert "Did you mean" in str(result.exception)
