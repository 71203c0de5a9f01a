"""Data that a network from elsewhere is asked about: what is named, which part, and whose classes its labels are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import DataPlace
from cnnlab.data.fitting import Fitting
from cnnlab.evaluation.run import EvaluateOptions, evaluated
from cnnlab.network.asked_data import asked_data, class_numbers
from cnnlab.network.open import open_network
from cnnlab.network.session import Session

COLOURS = {"cat": (200, 0, 0), "dog": (0, 200, 0), "sea_gull": (0, 0, 200)}


def folders(root: Path, *, count: int = 2, grey: bool = False) -> Path:
    """A folder for each class, its images of one colour."""
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((20, 30, 3), colour, dtype=np.uint8)
            Image.fromarray(pixels).convert("L" if grey else "RGB").save(root / name / f"{number}.png")
    return root


@given(st.lists(st.text("abcdefgh", min_size=1), min_size=1, max_size=8, unique=True), st.data())
def test_classes_are_found_by_name_in_any_order_and_spelling(own: list[str], draw: st.DataObject) -> None:
    chosen = draw.draw(st.lists(st.sampled_from(own), min_size=1, unique=True))
    spelled = [name.upper() if draw.draw(st.booleans()) else name for name in chosen]
    assert class_numbers(spelled, own, "photos") == [own.index(name) for name in chosen]


def test_exact_names_go_before_similar_ones() -> None:
    assert class_numbers(["B", "b"], ["b", "B"], "photos") == [1, 0]


def test_by_order_only_where_no_name_is_common() -> None:
    assert class_numbers(["n01", "n02"], ["tench", "goldfish"], "val") == [0, 1]
    with pytest.raises(RequestError, match="none of the network's: n02; it has n01, goldfish"):
        class_numbers(["n01", "n02"], ["n01", "goldfish"], "val")
    with pytest.raises(RequestError, match="none of the network's"):
        class_numbers(["x"], ["tench", "goldfish"], "val")


def test_a_folder_without_parts_is_taken_whole(tmp_path: Path) -> None:
    data, classes = asked_data(folders(tmp_path / "photos"), DataPlace(tmp_path), channels=3, fitting=Fitting((16, 16)))
    assert (data.whole, classes) == (True, tuple(COLOURS))
    for split in ("train", "validation", "test"):
        assert data.part(split, DataPlace(tmp_path)).images.shape == (6, 3, 16, 16)


def test_the_parts_of_a_folder(tmp_path: Path) -> None:
    folders(tmp_path / "photos" / "train", count=3)
    folders(tmp_path / "photos" / "val", count=1)
    data, _ = asked_data(tmp_path / "photos", DataPlace(tmp_path), channels=3, fitting=Fitting((16, 16)))
    sizes = {split: len(data.part(split, DataPlace(tmp_path))) for split in ("train", "validation", "test")}
    assert sizes == {"train": 9, "validation": 3, "test": 3}


def test_a_data_set_by_name_is_divided_and_resized(tmp_path: Path) -> None:
    place = DataPlace(tmp_path)
    data, classes = asked_data("shapes", place, channels=1, fitting=Fitting((24, 24)))
    assert classes == ()
    train, validation = data.part("train", place), data.part("validation", place)
    assert len(validation) == pytest.approx(len(train) / 9, rel=0.02)
    assert validation.shape == (1, 24, 24)


def test_labels_become_the_networks(tmp_path: Path) -> None:
    session = Session(device_name="cpu", data=folders(tmp_path / "photos"))
    network = open_network(
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4)),
        session,
        size="3,8,8",
        mean=0.5,
        std=0.5,
        classes=["dog", "bird", "Sea gull", "cat"],
        for_images=True,
    )
    images = network.part("validation", session.place)
    assert images.classes == ("dog", "bird", "Sea gull", "cat")
    assert images.labels.tolist() == [3, 3, 0, 0, 2, 2]
    assert network.held_out(session.place)[0] == "validation"
    for label, colour in {3: 0, 0: 1, 2: 2}.items():
        assert int(images.images[images.labels == label].float().mean((0, 2, 3)).argmax()) == colour


def test_a_network_without_names_takes_those_of_the_data(tmp_path: Path) -> None:
    session = Session(device_name="cpu", data=folders(tmp_path / "photos"))
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    model(torch.zeros(1, 3, 8, 8))
    network = open_network(model, session, size="3,8,8", for_images=True)
    assert network.classes == tuple(COLOURS)
    assert any("in this order: cat, dog, sea_gull" in remark for remark in network.remarks)
    found = evaluated(network, session, EvaluateOptions(split="test"))  # of data without parts, all of it
    assert (found.split, found.sources) == ("all", (f"images: {tmp_path / 'photos'}",))
    with pytest.raises(RequestError, match="has 3 classes, and Sequential puts out 5 logits"):
        open_network(nn.Sequential(nn.Flatten(), nn.Linear(192, 5)), session, size="3,8,8", for_images=True)


@pytest.mark.parametrize("text", ["cifar11", "nowhere/photos", ""])
def test_what_is_not_there(text: str, tmp_path: Path) -> None:
    if not text:
        text = str(tmp_path / "empty")
        Path(text).mkdir()
    with pytest.raises(RequestError):
        asked_data(text, DataPlace(tmp_path), channels=3, fitting=Fitting((8, 8)))
