"""A run on some classes of a data set: trained, evaluated, asked, compared."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnlab.config.config import read_config
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import DataPlace
from cnnlab.data.fitting import Fitting
from cnnlab.network.asked_data import asked_data
from cnnlab.runs.images import images_of, training_images

COLOURS = {"ant": (250, 20, 20), "bee": (20, 250, 20), "cow": (20, 20, 250)}
FEW = """
data: {dataset: {folder: {path: pictures, size: 8, cache: false}}, validation: 0.25, classes: [cow, ant]}
model: [{conv: {channels: 4}}, relu, global_avg_pool, linear]
training: {epochs: 4, batch_size: 4}
optimizer: {sgd: {lr: 0.3}}
logging: {histograms_every_epochs: 0, pictures: false, graph: false}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, place_of: Any) -> Any:
    """A folder with pictures in three colours, and a run that tells two of them apart."""
    made = place_of(tmp_path_factory.mktemp("colours"))
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name, colour in COLOURS.items():
            folder = made.folder / "pictures" / part / name
            folder.mkdir(parents=True)
            for number in range(8):
                pixels = np.clip(np.array(colour) + rng.integers(-20, 20, (8, 8, 3)), 0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    made.config(FEW, "few.yaml")
    made.config(FEW.replace("[cow, ant]", "null"), "all.yaml")
    result = made("train", "few.yaml", "--device", "cpu", "--no-report")
    assert result.code == 0, result.err
    return made


def test_the_run_is_of_the_named_classes_in_their_order(place: Any) -> None:
    found = place("eval", "few", "--split", "test", "--json").json()
    assert (found["classes"], found["n"], found["accuracy"]) == (["cow", "ant"], 16, 1.0)
    answer = place("predict", "few", "pictures/test/cow/0.png", "--json").json()[0]
    assert [one["label"] for one in answer["top"]] == ["cow", "ant"]
    counted = place("data", "stats", "few.yaml", "--json").json()
    assert (counted["classes"], counted["validation"]) == ({"cow": 8, "ant": 8}, [2, 2])
    checked = place("config", "check", "few.yaml", "--json").json()
    assert checked["classes"] == 2


def test_a_network_from_elsewhere_is_asked_about_the_classes_of_a_config(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    data, classes = asked_data("few.yaml", DataPlace.default(), channels=3, fitting=Fitting((8, 8)))
    assert classes == ("cow", "ant")
    images = data.part("test", DataPlace.default())
    assert (images.classes, images.counts().tolist()) == (("cow", "ant"), [8, 8])
    swapped = replace(data, classes=("ant", "cow")).part("validation", DataPlace.default())
    assert {
        Path(path).parent.name: label for path, label in zip(swapped.paths or (), swapped.labels.tolist(), strict=True)
    } == {
        "ant": 0,
        "cow": 1,
    }


def test_parts_are_of_the_classes_and_take_is_too(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    config = read_config(Path("few.yaml"), ["data.take=4", "data.classes=[2, bee]"])
    halves = training_images(config, DataPlace.default())
    assert halves.train.classes == ("cow", "bee")
    assert halves.train.counts().tolist() == [2, 2]
    assert halves.validation is not None
    assert halves.validation.counts().tolist() == [2, 2]
    assert images_of(config, DataPlace.default(), "test").counts().tolist() == [8, 8]
    assert read_config(Path("few.yaml"), ["data.classes=[2, bee]"]).data.classes == ["2", "bee"]
    strange = read_config(Path("few.yaml"), ["data.classes=[be, cow]"])
    with pytest.raises(RequestError, match=r"data.classes: no class 'be'; known: ant, bee, cow. Did you mean 'bee'?"):
        training_images(strange, DataPlace.default())
