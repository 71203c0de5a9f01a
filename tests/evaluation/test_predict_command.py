"""`cnnlab predict` from the command line: images in, labels out, prepared as in training."""

import csv
import io
import math
import re

import pytest
import torch
from PIL import Image

from cnnlab.config.config import read_config
from cnnlab.data.dataset import DataPlace
from cnnlab.network.image_files import find_images

COUNT = 60


def saved(images: torch.Tensor, index: int) -> Image.Image:
    return Image.fromarray(images[index].permute(1, 2, 0).numpy())


@pytest.fixture(scope="module")
def test_part(trained):
    """The test images of the trained run."""
    config = read_config(trained.run / "config.yaml")
    return config.data.dataset.build(place=DataPlace(trained.place.folder / "data"), part="test")


@pytest.fixture(scope="module")
def images(trained, test_part):
    """They again, as PNG files in a folder for each class."""
    folder = trained.place.folder / "images"
    for index, label in enumerate(test_part.labels.tolist()):
        (folder / test_part.classes[label]).mkdir(parents=True, exist_ok=True)
        saved(test_part.images, index).save(folder / test_part.classes[label] / f"{index:02}.png")
    return folder


@pytest.fixture
def predict(trained, images):
    return lambda *words, **options: trained.place("predict", "tiny", *words, **options)


def test_the_accuracy_is_that_of_eval(predict, trained, images, test_part) -> None:
    """Whatever the two prepared differently would show here."""
    result = predict("images", "--json")
    assert result.code == 0, result.err
    document = result.json()
    assert len(document) == COUNT
    right = sum(image["label"] == image["path"].split("/")[1] for image in document)
    evaluated = trained.place("eval", "tiny", "--split", "test", "--json").json()
    assert right / COUNT == evaluated["accuracy"]
    losses = []
    for image in predict("images", "--top", 10, "--json").json():
        probabilities = {one["label"]: one["probability"] for one in image["top"]}
        losses.append(-math.log(probabilities[image["path"].split("/")[1]]))
    assert sum(losses) / COUNT == pytest.approx(evaluated["loss"], rel=1e-5)


def test_json(predict) -> None:
    result = predict("images", "--top", 3, "--json")
    for image in result.json():
        assert list(image) == ["path", "label", "probability", "top", "error"]
        assert len(image["top"]) == 3
        assert image["top"][0] == {"label": image["label"], "probability": image["probability"]}
        probabilities = [one["probability"] for one in image["top"]]
        assert probabilities == sorted(probabilities, reverse=True)
    assert re.fullmatch(r"60 images, [\d,]+ a second\n", result.err)


def test_files_folders_patterns_and_lists_are_the_same(predict, images, trained) -> None:
    folder = predict("images/disc", "--json").json()
    files = [f"images/disc/{path.name}" for path in sorted((images / "disc").iterdir())]
    assert [image["path"] for image in folder] == files
    assert predict(*files, "--json").json() == folder
    assert predict("images/disc/*.png", "--json").json() == folder
    assert predict("images/**/disc/*.png", "--json").json() == folder
    assert predict("-", "--json", stdin="\n".join(files).encode()).json() == folder


def test_a_pattern_of_many_stars_ends(tmp_path) -> None:
    """Sixteen folders deep, twelve "**" can lead to the same image in 30 million ways."""
    deep = tmp_path.joinpath(*"abcdefghijklmnop")
    deep.mkdir(parents=True)
    (deep / "a.png").touch()
    pattern = f"{tmp_path}/{'**/' * 12}*.png"
    assert [source.name for source in find_images([pattern], io.BytesIO())] == [str(deep / "a.png")]


def test_an_image_on_standard_input(predict, images) -> None:
    path = images / "disc" / "00.png"
    (piped,) = predict("-", "--json", stdin=path.read_bytes()).json()
    (read,) = predict("images/disc/00.png", "--json").json()
    assert piped == read | {"path": "<stdin>"}


def test_images_of_any_size_and_mode(predict, trained) -> None:
    folder = trained.place.folder / "odd"
    folder.mkdir(exist_ok=True)
    modes = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")
    for number, mode in enumerate(modes):
        suffix = "tif" if mode == "CMYK" else "png"
        Image.new(mode, (1 + 37 * number, 50)).save(folder / f"{number}.{suffix}")
    Image.new("RGB", (300, 7)).save(folder / "wide.JPG")
    result = predict("odd", "--json")
    assert result.code == 0, result.err
    assert len(result.json()) == len(modes) + 1


def test_rejecting(predict) -> None:
    everything = predict("images", "--json").json()
    limit = sorted(image["probability"] for image in everything)[COUNT // 2]
    some = predict("images", "--reject-below", limit, "--json").json()
    assert [p["label"] for p in some] == [p["label"] if p["probability"] >= limit else None for p in everything]
    assert 0 < sum(image["label"] is None for image in some) < COUNT
    assert "rejected" in predict("images", "--reject-below", "1").out


def test_csv(predict) -> None:
    rows = list(csv.DictReader(io.StringIO(predict("images", "--csv").out)))
    document = predict("images", "--json").json()
    assert [(row["path"], row["label"]) for row in rows] == [(p["path"], p["label"]) for p in document]
    assert [float(row["probability"]) for row in rows] == pytest.approx([p["probability"] for p in document], abs=1e-6)
    both = predict("images", "--csv", "--json")
    assert (both.code, both.err) == (2, "error: --json and --csv exclude each other\n")


def test_a_corrupt_image_is_named_and_the_others_are_done(predict, trained, images) -> None:
    folder = trained.place.folder / "mixed"
    folder.mkdir(exist_ok=True)
    whole = (images / "disc" / "00.png").read_bytes()
    for name, content in (("a.png", whole), ("b[bold].png", whole[:40]), ("c.png", whole)):
        (folder / name).write_bytes(content)
    result = predict("mixed", "--json")
    assert result.code == 1
    assert [image["path"] for image in result.json()] == ["mixed/a.png", "mixed/b[bold].png", "mixed/c.png"]
    _, broken, _ = result.json()
    assert broken.pop("error").startswith("is ")
    assert broken == {"path": "mixed/b[bold].png", "label": None, "probability": None, "top": []}
    assert "unreadable: mixed/b[bold].png: is " in result.err
    assert "2 images, " in result.err


def test_a_path_that_leads_nowhere_is_a_row_too(predict) -> None:
    result = predict("images/disc/00.png", "none.png", "--csv")
    assert result.code == 1
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert [(row["path"], row["error"]) for row in rows] == [
        ("images/disc/00.png", ""),
        ("none.png", "no such image, folder or pattern"),
    ]
    assert rows[1]["probability"] == ""


def test_all_probabilities_on_request(predict, test_part) -> None:
    words = ("images/disc/00.png", "none.png", "--probabilities")
    whole, missing = predict(*words, "--json").json()
    assert list(whole["probabilities"]) == list(test_part.classes)
    assert sum(whole["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert whole["probabilities"][whole["label"]] == whole["probability"]
    assert missing["probabilities"] is None
    row, empty = csv.DictReader(io.StringIO(predict(*words, "--csv").out))
    for name, probability in whole["probabilities"].items():
        assert float(row[f"p({name})"]) == pytest.approx(probability, abs=1e-6)
        assert empty[f"p({name})"] == ""
    refused = predict(*words)
    assert (refused.code, refused.out) == (2, "")


def test_a_table_for_people(predict, images, trained) -> None:
    folder = trained.place.folder / "brackets"
    folder.mkdir(exist_ok=True)
    (folder / "[red]one[bold].png").write_bytes((images / "disc" / "00.png").read_bytes())
    lines = predict("brackets", "--top", 2).out.splitlines()
    assert lines[0].split() == ["image", "label", "probability", "then"]
    assert lines[1].startswith("brackets/[red]one[bold].png")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.png", "none.png: no such image, folder or pattern"),
        ("empty", "empty: no images in this folder"),
    ],
)
def test_paths_that_lead_to_nothing(predict, trained, path, message) -> None:
    (trained.place.folder / "empty").mkdir(exist_ok=True)
    result = predict(path)
    assert result.code == 2
    assert result.err.startswith(f"error: {message}")


def test_bf16_predicts_as_it_was_evaluated(cnnlab, no_report, test_part) -> None:
    assert cnnlab("train", "tiny.yaml", "training.precision=bf16").code == 0
    (cnnlab.folder / "images").mkdir()
    for index in range(COUNT):
        saved(test_part.images, index).save(cnnlab.folder / "images" / f"{index:02}.png")
    found = [image["label"] for image in cnnlab("predict", "tiny", "images", "--json").json()]
    right = sum(test_part.classes[label] == name for label, name in zip(test_part.labels.tolist(), found, strict=True))
    assert right / COUNT == cnnlab("eval", "tiny", "--split", "test", "--json").json()["accuracy"]
