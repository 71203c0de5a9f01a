"""The content of files that torch and safetensors wrote; nothing in them is ever run."""

import argparse
import collections
import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.network.weights.reading import read_content

WEIGHTS = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.ones(2)}


class Harmful:
    """A file is made as soon as this is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path("ran").touch, ())


class Evaluated:
    """The same, by `eval`."""

    def __reduce__(self) -> tuple[object, ...]:
        return (eval, ("__import__('pathlib').Path('ran').touch()",))


class Settings(dict[str, Any]):
    """A dict of a class of its own, as programs keep their settings."""


class Loud:
    """An object whose state, set back, makes a file."""

    def __getstate__(self) -> dict[str, int]:
        return {"a": 1}

    def __setstate__(self, state: object) -> None:
        Path("ran").touch()


def _equal(found: Any, wanted: dict[str, Tensor]) -> bool:
    return list(found) == list(wanted) and all(torch.equal(found[name], one) for name, one in wanted.items())


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files(tmp_path: Path, zipped: bool) -> None:
    torch.save({"model": WEIGHTS, "epoch": 3}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    found = read_content(tmp_path / "w.pth")
    assert _equal(found.value["model"], WEIGHTS)
    assert (found.value["epoch"], found.foreign) == (3, ())


def test_safetensors_whatever_the_name(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "w.pth")
    assert read_content(tmp_path / "w.pth").value.keys() == WEIGHTS.keys()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("harmful", [Harmful, Evaluated])
def test_a_file_that_could_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harmful: type, zipped: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**WEIGHTS, "more": harmful()}, "w.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(RequestError, match=r"w.pt: refused: .* could run code; .*torch.save\(model.state_dict\(\)"):
        read_content(Path("w.pt"))
    assert not Path("ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_beside_the_weights_are_left_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    beside = {
        "args": argparse.Namespace(lr=0.1),
        "best": np.float64(0.9),
        "history": collections.defaultdict(list, {"loss": [1.0]}),
        "settings": Settings(width=3),
        "place": PurePosixPath("/a/b"),
        "array": np.zeros((2, 2)),
        "loud": Loud(),
    }
    torch.save({"state_dict": WEIGHTS, **beside, "after": WEIGHTS}, "w.pt", _use_new_zipfile_serialization=zipped)
    known = {str(one) for one in torch.serialization.get_safe_globals()}
    found = read_content(Path("w.pt"))
    assert _equal(found.value["state_dict"], WEIGHTS)
    assert _equal(found.value["after"], WEIGHTS)
    assert {"argparse.Namespace", "collections.defaultdict", f"{__name__}.Settings"} <= set(found.foreign)
    assert not Path("ran").exists()
    assert {str(one) for one in torch.serialization.get_safe_globals()} == known


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_module_is_named(tmp_path: Path, zipped: bool) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(RequestError, match=r"w.pt: holds a whole .*, not its weights, and reading it would run code; "):
        read_content(tmp_path / "w.pt")


def test_a_pickle_of_a_newer_protocol(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "w.pt", pickle_protocol=4)
    with pytest.raises(RequestError, match=r"w.pt: is pickled in a way that cannot be read without running code"):
        read_content(tmp_path / "w.pt")


def test_an_older_file_that_is_cut_off(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    content = (tmp_path / "w.pt").read_bytes()
    for kept in range(20, len(content), 7):
        (tmp_path / "w.pt").write_bytes(content[:kept])
        with pytest.raises(RequestError, match=r"w.pt: (is cut off|is no file of weights, or a damaged one|refused)"):
            read_content(tmp_path / "w.pt")


def _sharded(folder: Path) -> Path:
    save_file({"conv.weight": WEIGHTS["conv.weight"], "old": torch.ones(1)}, folder / "1-of-2.safetensors")
    torch.save({"conv.bias": WEIGHTS["conv.bias"]}, folder / "2-of-2.bin")
    places = {"conv.weight": "1-of-2.safetensors", "conv.bias": "2-of-2.bin"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}, indent=2))
    return folder / "model.safetensors.index.json"


def test_a_file_in_shards_is_read_by_its_index(tmp_path: Path) -> None:
    assert _equal(read_content(_sharded(tmp_path)).value, WEIGHTS)


def test_an_index_that_is_wrong(tmp_path: Path) -> None:
    index = _sharded(tmp_path)
    (tmp_path / "2-of-2.bin").unlink()
    with pytest.raises(RequestError, match=r"2-of-2.bin: no such file of weights"):
        read_content(index)
    save_file({"other": torch.ones(1)}, tmp_path / "2-of-2.bin")
    with pytest.raises(RequestError, match=r"1 tensors are not in the files that it names \(first conv.bias\)"):
        read_content(index)
    index.write_text(json.dumps({"weight_map": {"a": "../secret.pt"}}))
    with pytest.raises(RequestError, match=r"its weight_map names '../secret.pt', expected a file beside it"):
        read_content(index)
    index.write_text(json.dumps({"weight_map": ["a"]}))
    with pytest.raises(RequestError, match="a damaged index: its weight_map does not say"):
        read_content(index)
