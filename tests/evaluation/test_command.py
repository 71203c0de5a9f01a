"""`cnnlab eval` from the command line."""

import csv
import json
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from cnnlab.fit.views import PLAIN, AveragedViews
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run

ONE_OF_TEN = 10


def answers(result):
    """What JSON says, the time it took excepted, which it says too."""
    document = result.json()
    assert 0 < document.pop("seconds") < 60
    return document


@pytest.fixture
def run(trained, cnnlab):
    """The trained run in a folder of the test's own, so that the test may add to it."""
    without = shutil.ignore_patterns("test-evaluations.jsonl", "eval-*")  # other tests may have evaluated it
    shutil.copytree(trained.run, cnnlab.runs / "tiny", ignore=without)
    return cnnlab.runs / "tiny"


def test_validation_as_json(run, cnnlab, trained) -> None:
    result = cnnlab("eval", "tiny", "--json")
    assert result.code == 0, result.err
    document = result.json()
    assert {"split", "n", "accuracy", "ci95", "loss", "ece", "per_class", "confusion"} <= document.keys()
    assert (document["split"], document["n"]) == ("validation", 20)
    assert document["accuracy"] == trained.result.json()["val_accuracy"]
    low, high = document["ci95"]
    assert 0 <= low < document["accuracy"] < high <= 1
    assert sum(map(sum, document["confusion"])) == 20
    right = sum(row[number] for number, row in enumerate(document["confusion"]))
    assert right / 20 == document["accuracy"]
    assert len(document["per_class"]) == ONE_OF_TEN


@pytest.mark.figures
def test_the_files(run, cnnlab) -> None:
    result = cnnlab("eval", "tiny")
    assert result.code == 0, result.err
    folder = run / "reports" / "eval-validation"
    for name in ("confusion.png", "reliability.png", "mistakes.png"):
        with Image.open(folder / name) as image:
            image.load()
            assert image.width > 300
    with (folder / "confusion.csv").open() as file:
        rows = list(csv.reader(file))
    assert len(rows) == len(rows[0]) == 1 + ONE_OF_TEN
    assert "95 %" in result.out
    near, answered, written = result.err.splitlines()
    assert answered.startswith("20 images answered in ")
    assert near.startswith("nearest training images: 180 of 180 searched in ")
    assert written == "written to runs/tiny/reports/eval-validation"


@pytest.mark.usefixtures("nothing_is_drawn")
def test_the_test_part_is_counted_and_warned_about(run, cnnlab) -> None:
    first = cnnlab("eval", "tiny", "--split", "test", "--json")
    assert first.json()["n"] == 60
    assert first.json()["split"] == "test"
    assert "times" not in first.err
    second = cnnlab("eval", "tiny", "--split", "test", "--json")
    assert answers(second) == answers(first)
    assert "the test part of this run has now been evaluated 2 times" in second.err
    lines = [json.loads(line) for line in (run / "test-evaluations.jsonl").read_text().splitlines()]
    assert [line["accuracy"] for line in lines] == [first.json()["accuracy"]] * 2
    row = cnnlab("compare", "tiny", "tiny").out
    assert f"{first.json()['accuracy']:.2%}".removesuffix("%") in row


@pytest.mark.usefixtures("nothing_is_drawn")
def test_flipped_as_well(run, cnnlab) -> None:
    asked = ("none",), ("flip",), ("flip",), ("six",), ("six", "--least-sure", 0.25)
    plain, flipped, again, six, some = (answers(cnnlab("eval", "tiny", "--tta", *tta, "--json")) for tta in asked)
    assert flipped == again
    assert len({document["loss"] for document in (plain, flipped, six, some)}) == 4
    assert [document["tta"]["least_sure"] for document in (six, some)] == [1.0, 0.25]
    assert (run / "reports" / "eval-validation-six-25").is_dir()


@pytest.mark.usefixtures("nothing_is_drawn")
def test_by_class(run, cnnlab) -> None:
    document = cnnlab("eval", "tiny", "--by", "class", "--json").json()
    assert sum(group["n"] for group in document["groups"].values()) == 20
    share = sum(group["n"] * group["accuracy"] for group in document["groups"].values()) / 20
    assert share == pytest.approx(document["accuracy"])
    recalls = {row["class"]: row["recall"] for row in document["per_class"]}
    for name, group in document["groups"].items():
        assert group["accuracy"] == pytest.approx(recalls[name])


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("group", "the data set shapes has no groups; --by class works for every data set"),
        (r"(a\d)", r"--by is '(a\d)', expected class or group: the images of shapes have no paths"),
    ],
)
def test_groups_that_are_not_there(run, cnnlab, by, message) -> None:
    result = cnnlab("eval", "tiny", "--by", by)
    assert (result.code, result.err) == (2, f"error: {message}\n")
    assert not (run / "reports" / "eval-validation").exists()


@pytest.mark.usefixtures("nothing_is_drawn")
def test_the_last_weights(run, cnnlab) -> None:
    epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = [point["validation/accuracy"] for point in epochs if point["kind"] == "epoch"][-1]
    assert cnnlab("eval", "tiny", "--weights", "last", "--json").json()["accuracy"] == last


@pytest.mark.parametrize("change", ["training.precision=bf16", "ema={decay: 0.9}", "training.channels_last=true"])
@pytest.mark.usefixtures("nothing_is_drawn")
def test_evaluation_gives_exactly_what_training_saw(cnnlab, no_report, change) -> None:
    trained = cnnlab("train", "tiny.yaml", change, "--json").json()
    assert cnnlab("eval", "tiny", "--json").json()["accuracy"] == trained["val_accuracy"]


@pytest.mark.usefixtures("nothing_is_drawn")
def test_no_way_of_evaluating_replaces_the_report_of_another(run, cnnlab) -> None:
    for options in ((), ("--tta", "flip"), ("--weights", "last")):
        assert cnnlab("eval", "tiny", *options).code == 0
    names = {path.name for path in (run / "reports").iterdir() if path.is_dir()}
    assert {"eval-validation", "eval-validation-flip", "eval-validation-last"} <= names


def test_averaged_weights_are_told(run) -> None:
    from cnnlab.evaluation.run import _note

    network = open_run(Run(run), Session(device_name="cpu"))
    plain = replace(network, epoch=3)
    averaged = replace(plain, config=plain.config.model_copy(update={"ema": object()}))
    assert _note(plain, PLAIN) == "Weights of epoch 3."
    assert _note(averaged, AveragedViews("flip")) == (
        "Weights of epoch 3, averaged over the training's steps (ema). Answers averaged with the mirror image's."
    )
