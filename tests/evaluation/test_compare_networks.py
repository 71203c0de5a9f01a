"""`cnnlab compare` of networks of all kinds on the same images."""

import json
import re
import shutil

import pytest
import torch
from command_line import Place, Trained
from PIL import Image

from cnnlab.config.config import Config
from cnnlab.data.dataset import DataPlace
from cnnlab.runs.folder import Run
from cnnlab.runs.images import TrainingImages, images_of, training_images

pytestmark = pytest.mark.usefixtures("nothing_is_drawn")

CODE = """
import torch
from torch import nn


def build(classes=10):
    torch.manual_seed(3)
    pool = nn.AdaptiveAvgPool2d(2)
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), pool, nn.Flatten(), nn.Linear(24, classes))


def turned():
    net = build()
    with torch.no_grad():
        for tensor in (net[4].weight, net[4].bias):
            tensor.copy_(tensor.flip(0))
    return net
"""


def config(place: Place, name: str) -> Config:
    return Run.open(name, place.runs).config()


def halves(place: Place, name: str) -> TrainingImages:
    return training_images(config(place, name), DataPlace(place.folder))


@pytest.fixture(scope="module")
def world(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The run `tiny`, its last weights as a file, an own module, and a folder of images of which it knows half."""
    place = Place(tmp_path_factory.mktemp("compared"))
    without = shutil.ignore_patterns("test-evaluations.jsonl", "reports")
    shutil.copytree(trained.run, place.runs / "tiny", ignore=without)
    (place.folder / "net.py").write_text(CODE)
    known, strange = halves(place, "tiny").train, images_of(config(place, "tiny"), DataPlace(place.folder), "test")
    for part, images in (("known", known), ("strange", strange)):
        for number in range(20):
            folder = place.folder / "photos" / images.classes[int(images.labels[number])]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = images.images[number].permute(1, 2, 0).numpy()
            Image.fromarray(pixels).save(folder / f"{part}-{number}.png")
    return place


def classes_of(world: Place) -> tuple[str, ...]:
    return Run.open("tiny", world.runs).record.data.classes


def test_each_has_the_accuracy_that_eval_finds(world: Place) -> None:
    own = ("net.py:build", "--input", "16", "--data", "photos", "--fit", "letterbox")
    result = world(
        "compare", "tiny --weights last", "net.py:build --input 16 --fit letterbox", "--data", "photos", "--json"
    )
    assert result.code == 0, result.err
    document = result.json()
    assert (document["split"], document["n"]) == ("all", 40)
    alone = [world("eval", *words, "--json").json() for words in (own,)]
    assert document["networks"][1]["accuracy"] == alone[0]["accuracy"]
    assert document["networks"][1]["loss"] == pytest.approx(alone[0]["loss"])
    assert document["networks"][1]["ece"] == pytest.approx(alone[0]["ece"])
    assert document["networks"][1]["parameters"] == 6 * 27 + 6 + 240 + 10
    (pair,) = document["pairs"]
    first, second = (one["accuracy"] for one in document["networks"])
    assert pair["difference"] == pytest.approx(second - first)
    assert sum(pair[key] for key in ("both_right", "first_only", "second_only", "both_wrong")) == 40
    assert {one["learned_from"] for one in document["networks"]} == {20, 0}  # byte for byte, of files
    assert (world.folder / document["page"]).is_file()
    assert "net.py:build: no --mean and --std are given" in result.err
    assert world("runs").err == ""  # its folder is none of a run


def test_runs_on_their_own_images(world: Place) -> None:
    """Without --data they are those of the first run; a split alone makes networks of runs, too."""
    validation = world("eval", "tiny", "--json").json()
    document = world(
        "compare", "tiny", "tiny --weights last", "net.py:build --input 16", "--split", "validation", "--json"
    ).json()
    assert [one["name"] for one in document["networks"]] == ["tiny (best)", "tiny (last)", "net.py:build"]
    assert document["networks"][0]["accuracy"] == validation["accuracy"]
    assert document["networks"][0]["loss"] == validation["loss"]
    assert [one["learned_from"] for one in document["networks"]] == [0, 0, 0]
    assert [run["run"] for run in document["trainings"]["runs"]] == ["runs/tiny"]
    assert len(document["pairs"]) == 3
    of_first = world(
        *("compare", "tiny", "tiny --weights last", "net.py:build --input 16"), "--pairs", "first", "--json"
    ).json()
    assert len(of_first["pairs"]) == 2
    assert of_first["networks"] == document["networks"]


def test_the_order_of_classes_is_the_networks_own(world: Place) -> None:
    """Two networks with the same answers, whose logits stand in another order."""
    names = classes_of(world)
    result = world(
        "compare",
        f"net.py:build --classes {','.join(names)}",
        f"net.py:turned --classes {','.join(name.upper() for name in reversed(names))}",
        *("--input", "16", "--data", "photos", "--json"),
    )
    assert result.code == 0, result.err
    first, second = result.json()["networks"]
    assert (first["accuracy"], first["loss"]) == (second["accuracy"], pytest.approx(second["loss"]))
    assert result.json()["pairs"][0]["same_answer"] == 1.0
    assert result.json()["classes"] == list(names)


def test_a_test_part_is_opened_where_asked_and_counted(world: Place) -> None:
    notes = world.runs / "tiny" / "test-evaluations.jsonl"
    assert not notes.exists()
    words = ("compare", "net.py:build --input 16", "tiny", "--split", "test", "--json", "--out", "made")
    first, second = world(*words), world(*words)
    lines = [json.loads(line) for line in notes.read_text().splitlines()]
    notes.unlink()
    assert [line["accuracy"] for line in lines] == [first.json()["networks"][1]["accuracy"]] * 2
    assert "times" not in first.err
    assert "the test part of tiny has now been evaluated 2 times" in second.err
    assert (world.folder / "made" / "pairs.csv").is_file()
    assert first.json()["n"] == 60
    assert world("compare", "tiny", "tiny", "--data", "photos", "--split", "test", "--json").code == 0
    assert not notes.exists()  # of others' images


def test_another_seed_has_learned_from_what_the_first_kept_out(world: Place) -> None:
    """A run of the same data whose split is another: counted by its own images."""
    twin = world.runs / "twin"
    shutil.copytree(world.runs / "tiny", twin)
    written = twin / "config.yaml"
    written.write_text(re.sub("^seed: 0$", "seed: 1", written.read_text(), flags=re.MULTILINE))
    facts, record = halves(world, "twin").facts(), json.loads((twin / "run.json").read_text())
    record["data"] |= {"mean": list(facts.mean), "std": list(facts.std)}
    (twin / "run.json").write_text(json.dumps(record))
    first, second = (
        {image.tobytes() for image in found.images.numpy()}
        for name in ("tiny", "twin")
        for found in (halves(world, name).validation,)
        if found is not None
    )
    assert 0 < len(first - second) <= 20
    document = world("compare", "tiny", "twin", "--split", "validation", "--json").json()
    assert [one["learned_from"] for one in document["networks"]] == [0, len(first - second)]
    assert document["trainings"]["differences"] == {"seed": [0, 1]}


def test_weights_of_files_tell_two_networks_of_one_name_apart(world: Place) -> None:
    torch.manual_seed(0)
    for name in ("a", "b"):
        net = torch.nn.Sequential(
            *(torch.nn.Conv2d(3, 6, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten()),
            torch.nn.Linear(24, 10),
        )
        torch.save(net.state_dict(), world.folder / f"{name}.pt")
    (world.folder / "b.preparation.yaml").write_text("mean: 0.5\nstd: 0.25\nfit: stretch\n")
    words = [f"net.py:build --weights {name}.pt" for name in ("a", "b")]
    result = world("compare", *words, "net.py:build", "net.py:build", "--input", "16", "--data", "photos", "--json")
    first, second, third, fourth = result.json()["networks"]
    assert [one["name"] for one in (first, second, third, fourth)] == [
        "net.py:build (a.pt)", "net.py:build (b.pt)", "net.py:build (1)", "net.py:build (2)",
    ]  # fmt: skip
    assert "mean 0.500" in second["preparation"]
    assert "mean 0.000" in first["preparation"]
    assert first["loss"] != second["loss"]


def test_runs_alone_stay_what_they_were(world: Place) -> None:
    document = world("compare", "tiny", "tiny", "--json").json()
    assert document.keys() == {"runs", "differences", "same"}
