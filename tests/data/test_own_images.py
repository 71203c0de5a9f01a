"""A folder of one's own images, from the files to labels for new ones."""

import json

import pytest
import torch
from PIL import Image

CONFIG = """
data:
  dataset: {folder: {path: images, test: more, size: 16, groups: '(patient\\d+)'}}
  validation: 0.25
model: [{conv_bn_act: {channels: 8, stride: 2}}, global_avg_pool, linear]
training: {epochs: 4, batch_size: 8}
optimizer: {sgd: {lr: 0.1}}
logging: {graph: false, pictures: false}
"""
COLOURS = {"red": (220, 40, 30), "blue": (30, 40, 220)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    draw = torch.Generator().manual_seed(0)
    for part, count in (("images", 24), ("more", 8)):
        for label, colour in COLOURS.items():
            (folder / part / label).mkdir(parents=True)
            for number in range(count):
                width, height = torch.randint(8, 60, (2,), generator=draw).tolist()
                noise = torch.randint(-30, 30, (3,), generator=draw).tolist()
                shade = tuple(max(0, min(255, c + n)) for c, n in zip(colour, noise, strict=True))
                suffix = ("png", "jpg", "bmp")[number % 3]
                name = f"patient{number // 3}_{number}.{suffix}"
                Image.new("RGB", (width, height), shade).save(folder / part / label / name)
    (folder / "images" / "red" / "patient0_broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    (folder / "own.yaml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def trained(place, place_of):
    command_line = place_of(place)
    result = command_line("train", "own.yaml", "--device", "cpu", "--json")
    assert result.code == 0, result.err
    return command_line, result


def test_training(trained) -> None:
    command_line, result = trained
    assert "skipped: images/red/patient0_broken.png: is " in result.err
    record = json.loads((command_line.runs / "own" / "run.json").read_text())
    assert record["data"]["classes"] == ["blue", "red"]
    assert record["data"]["train"] + record["data"]["validation"] == 48
    assert len(record["data"]["skipped"]) == 1
    assert result.json()["val_accuracy"] > 0.9


def test_no_group_is_on_both_sides(trained) -> None:
    from cnnlab.config.config import read_config
    from cnnlab.data.dataset import DataPlace
    from cnnlab.runs.images import training_images

    command_line, _ = trained
    config = read_config(command_line.folder / "own.yaml")
    parts = training_images(config, DataPlace(command_line.folder / "data", base=command_line.folder))
    assert parts.train.groups
    assert parts.validation.groups
    assert not set(parts.train.groups) & set(parts.validation.groups)
    assert command_line("data", "leaks", "own.yaml", "--json").json()[0]["groups"] == []


def test_evaluation_by_group_and_by_path(trained) -> None:
    command_line, result = trained
    by_group = command_line("eval", "own", "--by", "group", "--json").json()
    assert by_group["accuracy"] == result.json()["val_accuracy"]
    assert all(name.startswith("patient") for name in by_group["groups"])
    assert sum(group["n"] for group in by_group["groups"].values()) == by_group["n"]
    by_path = command_line("eval", "own", "--by", r"\.(png|jpg|bmp)$", "--split", "test", "--json").json()
    assert by_path["groups"].keys() == {"png", "jpg", "bmp"}
    assert by_path["n"] == 16


def test_prediction(trained) -> None:
    command_line, _ = trained
    document = command_line("predict", "own", "more", "--json").json()
    right = sum(image["path"].split("/")[1] == image["label"] for image in document)
    assert right / 16 == command_line("eval", "own", "--split", "test", "--json").json()["accuracy"]
    broken = command_line("predict", "own", "images", "--json")
    assert broken.code == 1
    assert "images/red/patient0_broken.png" in broken.err
    assert len(broken.json()) == 49  # every file has a row, the broken one with its reason
    assert [row["path"] for row in broken.json() if row["probability"] is None] == ["images/red/patient0_broken.png"]


def test_images_that_have_changed_since(trained) -> None:
    command_line, _ = trained
    added = command_line.folder / "images" / "red" / "patient99_0.png"
    Image.new("RGB", (20, 20), COLOURS["red"]).save(added)
    try:
        result = command_line("eval", "own")
    finally:
        added.unlink()
    assert result.code == 2
    assert "error: the data has changed since the run own was trained: 36 training and 12 validation" in result.err


def test_images_that_are_others_now(trained) -> None:
    command_line, _ = trained
    red = command_line.folder / "images" / "red"
    before = {path: path.read_bytes() for path in red.glob("patient[0-7]_[0-9]*.png")}
    for path in before:
        Image.new("RGB", (20, 20), (0, 255, 0)).save(path)
    try:
        evaluated, resumed = (
            command_line(*words) for words in (("eval", "own"), ("train", "--resume", "own", "training.epochs=5"))
        )
    finally:
        for path, content in before.items():
            path.write_bytes(content)
    assert evaluated.code == resumed.code == 2
    assert "error: the data has changed since the run own was trained: mean 0." in evaluated.err
    assert evaluated.err.splitlines()[-1] == resumed.err.splitlines()[-1]
