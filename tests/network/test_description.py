"""What is said of a network, by options or in a file beside its weights."""

from pathlib import Path

import pytest
from torch import nn

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.network.description import Description, ModelOptions, description_of
from cnnlab.network.open import open_network
from cnnlab.network.session import Session


def test_options_as_text_and_as_values(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("cat\n\n dog \n", encoding="utf-8-sig")
    as_text = description_of(
        {"mean": "0.5, 0.4,0.3", "std": "0.2", "classes": str(names), "fit": "letterbox", "size": "3,8,9"}
    )
    as_values = description_of(
        {"mean": [0.5, 0.4, 0.3], "std": 0.2, "classes": ["cat", "dog"], "fit": "pad", "size": (3, 8, 9)}
    )
    assert (
        as_text
        == as_values
        == Description(size="3,8,9", mean=(0.5, 0.4, 0.3), std=(0.2,), classes=("cat", "dog"), fit="letterbox")
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mean": "0.5"}, "`mean` is given without `std`"),
        ({"std": "0.5"}, "`std` is given without `mean`"),
        ({"mean": "a,b", "std": "1"}, "`mean` is 'a,b', expected a number for each channel"),
        ({"mean": "nan", "std": "1"}, "finite"),
        ({"mean": "1e39", "std": "1"}, "at most 1,000,000"),
        ({"mean": "0.5", "std": "1e-300"}, "above 0"),
        ({"classes": "x" * 5000}, "`classes` is 'x{60}', expected names"),
        ({"classes": ["cat", None]}, "expected the name of each class"),
        ({"mean": "0", "std": "0.2,0"}, "`std` is '0.2,0', expected numbers above 0"),
        ({"classes": "cat"}, "expected names such as cat,dog, their number, or a file of them"),
        ({"classes": "0"}, "`classes` is 0, expected the names"),
        ({"classes": "cat,dog,cat"}, "'cat' stands twice"),
        ({"classes": "cat,,dog"}, "expected the name of each class"),
        ({"fit": "corp"}, "Did you mean 'crop'"),
        ({"activation": "sigmiod"}, "Did you mean 'sigmoid'"),
    ],
)
def test_wrong_options(options: ModelOptions, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        description_of(options)


def test_the_file_beside_the_weights_is_found_and_options_go_before_it(tmp_path: Path) -> None:
    (tmp_path / "w.pt").touch()
    (tmp_path / "preparation.yaml").write_text("input: 3,32,32\nmean: [0.5]\nstd: 0.25\nclasses: names.txt\n")
    (tmp_path / "names.txt").write_text("a\nb\n")
    found = description_of({"weights": tmp_path / "w.pt", "size": "64"})
    assert (found.size, found.mean, found.std, found.classes) == ("64", (0.5,), (0.25,), ("a", "b"))
    assert found.file == tmp_path / "preparation.yaml"
    (tmp_path / "w.preparation.yaml").write_text("fit: stretch\n")
    assert description_of({"weights": tmp_path / "w.pt"}) == Description(
        fit="stretch", file=tmp_path / "w.preparation.yaml"
    )


def test_every_mistake_of_a_file_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("size: big\noutput: [1]\nactivation: [1]\n")
    with pytest.raises(ConfigError) as caught:
        description_of({"preparation": path})
    assert [one.place for one in caught.value.problems] == [f"{path}:{line}:1" for line in (1, 2, 3)]
    path.write_text("size: 8\nmean: [0, 0]\nstd: 1\n")
    with pytest.raises(RequestError, match=r"mine\.yaml:2:1: 'mean' has 2 numbers, and the images 3 channels"):
        open_network(nn.Conv2d(3, 2, 3), Session(device_name="cpu"), preparation=path, for_images=True)
    path.write_text("size: 8\ninput: 9\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:2:1: 'input' is another word for 'size', which is given, too"):
        description_of({"preparation": path})
    path.write_text("maen: 1\nstd: [1, -1]\nfit: crop\nactivation: {a: b}\n")
    with pytest.raises(ConfigError) as caught:
        description_of({"preparation": path})
    first, second, third = caught.value.problems
    assert first.place == f"{path}:1:1"
    assert "Did you mean 'mean'" in first.message
    assert second.place == f"{path}:2:1"
    assert "above 0" in second.message
    assert third.place == f"{path}:4:1"
