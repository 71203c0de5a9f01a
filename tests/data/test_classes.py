"""Some of a data set's classes, numbered anew."""

import pickle
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core.errors import RequestError
from cnnlab.data.archives import CIFAR10_CLASSES
from cnnlab.data.classes import chosen_classes, class_number, with_classes
from cnnlab.data.dataset import Dataset

CIFAR_FOLDER = "cifar-10-batches-py"
NAMES = ("cat", "dog", "2", "owl")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.permutations(range(4)), st.integers(2, 4))
def test_each_image_that_is_kept_is_of_the_class_that_it_was(labels: list[int], order: list[int], count: int) -> None:
    pixels = torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None]
    paths, kept = tuple(map(str, range(len(labels)))), order[:count]
    whole = Dataset("all", "train", pixels, torch.tensor(labels), NAMES, groups=paths, paths=paths)
    expected = [number for number, label in enumerate(labels) if label in kept]
    wanted = [NAMES[number] for number in kept]
    if not expected:
        with pytest.raises(RequestError, match=re.escape("all (train) has no images of the classes in data.classes")):
            with_classes(whole, wanted)
        return
    few = with_classes(whole, wanted)
    assert few.classes == tuple(wanted)
    assert few.images.flatten().tolist() == expected
    assert few.paths == few.groups == tuple(map(str, expected))
    assert [few.classes[label] for label in few.labels.tolist()] == [NAMES[labels[number]] for number in expected]


def test_a_class_is_found_by_its_name_and_by_its_number_where_none_is_called_so() -> None:
    assert [class_number(one, NAMES) for one in ("owl", "3", "2", "0")] == [3, 3, 2, 0]
    whole = Dataset("all", "train", torch.zeros(1, 1, 2, 2).byte(), torch.tensor([0]), NAMES)
    assert with_classes(whole, None) is whole


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["cat", "dgo"], "data.classes: no class 'dgo'; known: cat, dog, 2, owl. Did you mean 'dog'?"),
        (["cat", "4"], "data.classes: no class '4'; there are 4, numbered from 0"),
        (["cat", "9" * 5000], f"data.classes: no class '{'9' * 60}'; there are 4, numbered from 0"),
        (["cat", "-1"], "data.classes: no class '-1'; known"),
        (["cat", "0"], "data.classes: 'cat' is there twice"),
    ],
)
def test_what_is_not_there_or_there_twice_is_refused(wanted: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=re.escape(message)):
        chosen_classes(wanted, NAMES)


def test_the_names_that_are_known_without_loading_are_those_of_the_files(cifar_root: Path) -> None:
    meta = pickle.loads((cifar_root / CIFAR_FOLDER / "batches.meta").read_bytes())
    assert tuple(meta["label_names"]) == CIFAR10_CLASSES
