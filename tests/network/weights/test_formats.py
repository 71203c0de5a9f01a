"""What a file is told by its content: every kind that people give for weights has its sentence."""

import gzip
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.network.weights.formats import format_of

WEIGHTS = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.ones(2)}

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 46830571\n"

Make = Callable[[Path], object]


def _bytes(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def _zip(*names: str) -> Make:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")

    return make


def _npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, weight=np.zeros(3))


def _npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def _tar(path: Path) -> None:
    (path.parent / "inside").write_bytes(b"x")
    with tarfile.open(path, "w") as archive:
        archive.add(path.parent / "inside")


def _exported(path: Path) -> None:
    program = torch.export.export(nn.Linear(2, 2).eval(), (torch.zeros(1, 2),))
    torch.export.save(program, path.with_suffix(".pt2"))
    path.with_suffix(".pt2").rename(path)


OTHERS: dict[str, tuple[Make, str]] = {
    "empty": (_bytes(b""), r"is empty \(0 bytes\); download or copy it again"),
    "text": (_bytes(b"hello, this is text"), "is no file of weights, or a damaged one"),
    "Git LFS": (_bytes(LFS), "is a pointer of Git LFS in place of the file of 46,830,571 bytes; .*: git lfs pull"),
    "web page": (
        _bytes(b"\n<!DOCTYPE html><html><head><title>\x1b[2JSign in</title>"),
        r"is a web page \('\\x1b\[2JSign in'\) saved under this name",
    ),
    "XML": (_bytes(b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>"), "is an XML document, as servers send"),
    "JSON": (_bytes(b'{"a": 1}'), "is a JSON text without a weight_map"),
    "TorchScript": (
        lambda path: torch.jit.script(nn.Linear(2, 2)).save(str(path)),
        r"is a TorchScript archive.*torch.save\(torch.jit.load\('w.pth'\).state_dict\(\), 'weights.pt'\)",
    ),
    "torch.export": (_exported, r"is an archive of torch.export.*torch.export.load\('w.pth'\).state_dict"),
    "npz": (_npz, r"is a file of NumPy's arrays \(.npz\).*torch.from_numpy\(v\)"),
    "npy": (_npy, "is an array of NumPy"),
    "ONNX": (_bytes(b"\x08\x08\x12\x07pytorch\x1a\x062.14.1:"), "looks like an ONNX model.*give the state dict"),
    "HDF5": (_bytes(b"\x89HDF\r\n\x1a\n\0\0"), "is an HDF5 file, as Keras writes"),
    "Keras": (_zip("metadata.json", "config.json", "model.weights.h5"), "is a model of Keras"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"x")), "is compressed by gzip; unpack it first"),
    "tar": (_tar, "is a tar archive; unpack it first"),
    "zip": (_zip("a/w.pth", "b.txt"), r"is a zip archive of 2 files \(a/w.pth, b.txt\); unpack it first"),
    "zip that is cut off": (_bytes(b"PK\x03\x04 cut off"), r"is cut off or damaged \(12 bytes"),
    "pickle": (_bytes(b"\x80\x04\x95."), r"is a pickle that torch.save did not write \(protocol 4\)"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_weights_is_called_what_it_is(tmp_path: Path, kind: str) -> None:
    make, message = OTHERS[kind]
    make(tmp_path / "w.pth")
    with pytest.raises(RequestError, match=f"^{tmp_path}/w.pth: {message}") as failed:
        format_of(tmp_path / "w.pth")
    assert len(failed.value.lines) == 1


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "weights"])
def test_the_content_tells_and_not_the_name(tmp_path: Path, zipped: bool, name: str) -> None:
    torch.save(WEIGHTS, tmp_path / name, _use_new_zipfile_serialization=zipped)
    assert format_of(tmp_path / name) == "torch"
    save_file(WEIGHTS, tmp_path / name)
    assert format_of(tmp_path / name) == "safetensors"
    (tmp_path / name).write_text(json.dumps({"weight_map": {}}))
    assert format_of(tmp_path / name) == "index"


def test_a_safetensors_file_that_is_cut_off_says_how_much_is_there(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    whole = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-3])
    with pytest.raises(RequestError, match=f"that is cut off: {len(whole) - 3} of {len(whole)} bytes"):
        format_of(tmp_path / "cut")
    (tmp_path / "cut").write_bytes(whole[:30])
    with pytest.raises(RequestError, match="that is cut off: 30 of "):
        format_of(tmp_path / "cut")


def test_a_byte_that_has_changed_is_found_by_the_checksum(tmp_path: Path) -> None:
    torch.save({"w": torch.full((64,), 1.5)}, tmp_path / "w.pt")
    content = bytearray((tmp_path / "w.pt").read_bytes())
    content[content.index(torch.full((64,), 1.5).numpy().tobytes()) + 5] ^= 1
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(RequestError, match=r"is damaged \(the checksum of data/0 is wrong\)"):
        format_of(tmp_path / "w.pt")


def test_files_without_checksums_are_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(WEIGHTS, tmp_path / "w.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert format_of(tmp_path / "w.pt") == "torch"


def test_a_folder_says_which_files_of_it_to_give(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(RequestError, match="model: is a folder, without a file of weights in it"):
        format_of(folder)
    for name in ("b.safetensors", "model.safetensors.index.json", "config.json"):
        (folder / name).touch()
    with pytest.raises(RequestError, match=r"give one file in it: model.safetensors.index.json, b.safetensors$"):
        format_of(folder)
    for name in (".metadata", "__0_0.distcp"):
        (folder / name).touch()
    with pytest.raises(RequestError, match=r"a checkpoint of torch.distributed; .*dcp_to_torch"):
        format_of(folder)
    with pytest.raises(RequestError, match="no such file of weights"):
        format_of(tmp_path / "none")
