import io
import os
import pickle
import random
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from cnnlab.core.errors import RequestError
from cnnlab.fit.checkpoints import load_state, load_weights_file, save_state, save_weights

CPU = torch.device("cpu")
STATE = {"tensor": torch.arange(1000.0), "number": 3, "list": [1.5, "a", None], "nested": {"b": True}}


class Malicious:
    """Its pickle writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.path}'",)


def complaint(path: Path) -> str:
    with pytest.raises(RequestError) as caught:
        load_state(path, CPU)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_round_trip(tmp_path: Path) -> None:
    save_state(tmp_path / "last.pt", STATE)
    loaded = load_state(tmp_path / "last.pt", CPU)
    assert torch.equal(loaded.pop("tensor"), STATE["tensor"])
    assert loaded == {key: value for key, value in STATE.items() if key != "tensor"}


def test_malicious_pickles_are_refused_without_running(tmp_path: Path) -> None:
    path, trace = tmp_path / "last.pt", tmp_path / "ran"
    torch.save({"model": Malicious(trace)}, path)
    assert complaint(path) == "refused: it holds more than tensors and plain values, and could run code"
    path.write_bytes(pickle.dumps(Malicious(trace)))
    assert complaint(path) == "no checkpoint of cnnlab, or one that was cut off"
    assert not trace.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated(tmp_path: Path, share: float) -> None:
    path = tmp_path / "last.pt"
    save_state(path, STATE)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert complaint(path) == "no checkpoint of cnnlab, or one that was cut off"


def test_one_flipped_bit_in_a_weight(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_state(path, STATE)
    content = bytearray(path.read_bytes())
    content[content.index(STATE["tensor"].numpy().tobytes()) + 100] ^= 1
    path.write_bytes(content)
    assert "a damaged checkpoint (the checksum of " in complaint(path)


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    assert complaint(path) == "no such checkpoint"
    path.write_text("hello, this is no checkpoint")
    assert complaint(path) == "no checkpoint of cnnlab, or one that was cut off"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert complaint(path).startswith("a damaged checkpoint (")
    torch.save([1, 2], path)
    assert complaint(path) == "not a checkpoint of cnnlab: it holds a list"


def test_any_damage_is_one_sentence(tmp_path: Path) -> None:
    """Bytes are changed and the checksums made right again, so that torch's own reader meets them."""
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    path, draw = tmp_path / "last.pt", random.Random(0)
    for _ in range(60):
        with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w") as target:
            for name in source.namelist():
                content = bytearray(source.read(name))
                if name.endswith("data.pkl"):
                    content[draw.randrange(len(content))] = draw.randrange(256)
                target.writestr(name, bytes(content))
        message = ""
        try:
            load_state(path, CPU)
        except RequestError as error:
            message = str(error)
        assert "\n" not in message


def test_a_kill_in_the_middle_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_state(path, STATE)
    script = f"""
import os, signal, torch
from pathlib import Path
from cnnlab.fit.checkpoints import save_state
def fsync(file): os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
save_state(Path({str(path)!r}), {{"tensor": torch.zeros(10)}})
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert torch.equal(load_state(path, CPU)["tensor"], STATE["tensor"])
    assert len(list(tmp_path.iterdir())) == 2  # the unfinished one lies beside it, under another name


def test_weights_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    shared = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    weights = {"a": shared, "b": shared, "count": torch.tensor(3), "grad": torch.nn.Parameter(torch.ones(2))}
    save_weights(path, weights, {"epoch": 3, "classes": ["é"]})
    loaded, facts = load_weights_file(path)
    assert facts == {"epoch": 3, "classes": ["é"]}
    assert {name: torch.equal(value, weights[name]) for name, value in loaded.items()} == dict.fromkeys(weights, True)


def test_weights_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"

    def refused() -> str:
        with pytest.raises(RequestError) as caught:
            load_weights_file(path)
        return str(caught.value).removeprefix(f"{path}: ")

    assert refused() == "no such weights"
    for content in (b"", b"hello world", b"\xff" * 100):
        path.write_bytes(content)
        assert refused().startswith("damaged weights (")
    save_weights(path, {"a": torch.ones(100)}, {})
    path.write_bytes(path.read_bytes()[:-10])
    assert refused().startswith("damaged weights (")
    for metadata in (None, {"other": "x"}, {"cnnlab": "[]"}):
        save_file({"a": torch.ones(1)}, path, metadata=metadata)
        assert refused() == "weights that cnnlab did not write: the header lacks its facts"
    save_file({"a": torch.ones(1)}, path, metadata={"cnnlab": "{"})
    assert refused().startswith("damaged weights (the facts in the header: ")
