"""The commands that compare, list, check and measure: each once, with a look at what it says."""

import os
import shutil
from pathlib import Path
from statistics import fmean
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        return image.size


@pytest.fixture
def two_runs(cnnlab, no_report):
    for name, change in (("small", "seed=0"), ("other", "optimizer.lr=0.05")):
        assert cnnlab("train", "tiny.yaml", "training.epochs=1", change, "--name", name).code == 0
    return cnnlab


@pytest.mark.figures
def test_compare(two_runs) -> None:
    result = two_runs("compare", "small", "other")
    assert result.code == 0, result.err
    assert "optimizer.sgd.lr" in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    for name in ("accuracies", "comparison"):
        assert min(size(two_runs.runs / "compare" / f"{name}.png")) > 200
    document = two_runs("compare", "small", "other", "--json").json()
    assert [run["run"] for run in document["runs"]] == ["runs/small", "runs/other"]
    assert document["differences"] == {"optimizer.sgd.lr": [0.1, 0.05]}
    assert document["same"] > 20
    assert f"{document['same']} other options are the same in all of them." in result.out
    assert f"their configs are the same: {document['same'] + 1} options." in two_runs("compare", "small", "small").out
    low, high = document["runs"][0]["ci95"]
    assert low <= document["runs"][0]["val_accuracy"] <= high


def test_runs(two_runs) -> None:
    two_runs("compare", "small", "other")
    result = two_runs("runs")
    header, *rows = [line.split() for line in result.out.splitlines()]
    assert header == ["run", "started", "data", "epochs", "val", "%", "train", "s", "outcome"]
    assert sorted(row[0] for row in rows) == ["other", "small"]
    assert {row[-1] for row in rows} == {"finished"}
    with patch.dict(os.environ, COLUMNS="40"):
        narrow = [line.split() for line in two_runs("runs").out.splitlines()]
    assert narrow[0] == ["run", "epochs", "val", "%", "outcome"]
    assert [row[0] for row in narrow[1:]] == [row[0] for row in rows]
    assert result.err == ""  # the folder of the comparison is none of ours
    document = two_runs("runs", "--json").json()
    assert sorted(run["path"] for run in document) == ["runs/other", "runs/small"]
    assert document[0]["outcome"]["epochs"] == 1
    (two_runs.runs / "strange").mkdir()
    assert two_runs("runs").err == "left out: runs/strange: not a run of cnnlab: it has no run.json\n"


def test_no_runs_yet(cnnlab) -> None:
    result = cnnlab("runs")
    assert (result.code, result.out) == (0, "")
    assert "no runs under runs yet; cnnlab train makes one" in result.err
    assert cnnlab("runs", "--json").json() == []


@pytest.mark.figures
def test_learning_rate_finder(cnnlab) -> None:
    result = cnnlab("lr-find", "tiny.yaml", "--steps", 40, "--json")
    assert result.code == 0, result.err
    document = result.json()
    rates = [point["lr"] for point in document["points"]]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(1e-5)
    assert document["suggestion"] is None  # of so few batches no fall of the loss can be told from their noise
    assert min(size(cnnlab.folder / document["picture"])) > 200
    assert not list(cnnlab.runs.glob("*/run.json"))
    shown = cnnlab("lr-find", "tiny.yaml", "--steps", 40)
    assert shown.code == 0
    assert "runs/lr-find/" in shown.out


def test_a_rate_is_suggested_where_the_loss_falls(cnnlab) -> None:
    easy = ("data.dataset.shapes.difficulty=0", "data.dataset.shapes.train_count=400")
    document = cnnlab("lr-find", "tiny.yaml", *easy, "--steps", 150, "--start", 1e-3, "--end", 3, "--json").json()
    points = document["points"]
    least = min(points, key=lambda point: point["smoothed"])
    assert 1e-3 < document["suggestion"] <= least["lr"] / 3
    assert least["smoothed"] < points[0]["smoothed"]
    after = [point["loss"] for point in points if point["lr"] >= document["suggestion"]][:20]
    assert fmean(after) < fmean(point["loss"] for point in points[:20])


def test_statistics(cnnlab) -> None:
    document = cnnlab("data", "stats", "tiny.yaml", "--json").json()
    assert (document["name"], document["count"], document["shape"]) == ("shapes", 200, [3, 16, 16])
    assert (sum(document["train"]), sum(document["validation"])) == (180, 20)
    assert all(0.3 < mean < 0.7 for mean in document["mean"])
    assert "triangle" in cnnlab("data", "stats", "tiny.yaml").out


def test_leaks(cnnlab) -> None:
    """One image of the training part is in the test part again, byte for byte, and nothing else is like another."""
    images = cnnlab.folder / "images"
    values = np.random.default_rng(0)
    for part, count in (("train", 4), ("validation", 2), ("test", 3)):
        for name in ("cat", "dog"):
            (images / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = values.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(images / part / name / f"{number}.png")
    shutil.copy(images / "train" / "dog" / "2.png", images / "test" / "cat" / "1.png")
    cnnlab.config(
        "data: {dataset: {folder: {path: images, size: 16, cache: false}}}\nmodel: [global_avg_pool, linear]\n"
    )
    found = cnnlab("data", "leaks", "tiny.yaml", "--with-test", "--max-distance", 0, "--json")
    assert found.code == 1
    pairs = {tuple(check["parts"]): (check["exact"], check["near"]) for check in found.json()}
    assert pairs == {
        ("train", "validation"): ([], []),
        ("train", "test"): ([[4 + 2, 1]], []),  # cats come first
        ("validation", "test"): ([], []),
    }
    closed = cnnlab("data", "leaks", "tiny.yaml", "--max-distance", 0, "--json")
    assert (closed.code, [check["parts"] for check in closed.json()]) == (0, [["train", "validation"]])


@pytest.mark.figures
def test_preview(cnnlab) -> None:
    result = cnnlab("data", "preview", "tiny.yaml", "--count", 3, "--epochs", 2)
    assert result.code == 0, result.err
    images = [line.removeprefix("written to ") for line in result.err.splitlines()]
    assert images
    assert all(min(size(cnnlab.folder / path)) > 50 for path in images)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_configs_that_come_along(cnnlab, path) -> None:
    checked = cnnlab("config", "check", path, "--json").json()
    assert checked["fine"] is True
    if path.stem == "cifar":
        assert checked["parameters"] == 288_746
    shown = cnnlab("config", "show", path)
    cnnlab.config(shown.out, "shown.yaml")
    assert cnnlab("config", "show", "shown.yaml", "--json").json() == cnnlab("config", "show", path, "--json").json()


def test_schema_list_and_doctor(cnnlab, torch_is_there) -> None:
    schema = cnnlab("schema").json()
    assert {"model", "data", "training"} <= schema["properties"].keys()
    layers = {layer["name"] for layer in cnnlab("list", "layers", "--json").json()}
    assert {"conv", "linear", "residual", "squeeze_excite"} <= layers
    doctor = cnnlab("doctor", "--json")
    document = doctor.json()
    states = {check["name"]: check["state"] for check in document["checks"]}
    assert {"torch", "device", "data", "runs", "disk"} <= states.keys()
    assert document["ok"] == ("fail" not in states.values())
    assert doctor.code == (0 if document["ok"] else 1)
    assert states["runs"] == "ok"


def test_a_config_is_checked_before_anything_is_written(cnnlab) -> None:
    result = cnnlab("train", "tiny.yaml", "optimizer.learning_rate=1", "training.epochs=many", "--json")
    assert result.code == 2
    places = [problem["place"] for problem in result.json()["problems"]]
    assert places == ["override 'optimizer.learning_rate=1'", "override 'training.epochs=many'"]
    assert len(result.err.splitlines()) == 2
    assert all(line.startswith("error: override '") for line in result.err.splitlines())
    assert not cnnlab.runs.exists()
