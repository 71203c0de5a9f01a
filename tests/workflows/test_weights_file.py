"""Weights of somebody else's: read in every usual form, and never run."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cnnlab.core.errors import RequestError
from cnnlab.workflows.weights_file import read_weights

WEIGHTS = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.ones(2)}
PARALLEL = {f"module.{name}": tensor for name, tensor in WEIGHTS.items()}


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path("ran").touch, ())


@pytest.mark.parametrize("content", [WEIGHTS, {"state_dict": WEIGHTS, "epoch": 3}, {"model": PARALLEL}, PARALLEL])
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files(tmp_path: Path, content: object, zipped: bool) -> None:
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    found = read_weights(tmp_path / "w.pth")
    assert set(found) == set(WEIGHTS)
    assert all(torch.equal(found[name], tensor) for name, tensor in WEIGHTS.items())


def test_safetensors(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert torch.equal(read_weights(tmp_path / "w.safetensors")["conv.weight"], WEIGHTS["conv.weight"])


def test_a_file_that_could_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"w": Harmful()}, "w.pt")
    with pytest.raises(RequestError, match="could run code"):
        read_weights(Path("w.pt"))
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("w.pt", b""), ("w.pt", b"hello, this is text"), ("w.safetensors", b"{}"), ("w.pth", b"PK\x03\x04 cut off")],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError, match="is no file of weights, or a damaged one"):
        read_weights(tmp_path / name)


def test_what_is_no_weights(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"epoch": 3}, tmp_path / "facts.pt")
    for name in ("list.pt", "facts.pt"):
        with pytest.raises(RequestError, match="holds no weights"):
            read_weights(tmp_path / name)
    with pytest.raises(RequestError, match="no such file of weights"):
        read_weights(tmp_path / "none.pt")
