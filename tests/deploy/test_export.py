"""Exports are run by other programs, and say what the network says; what cannot be exported leaves no file."""

import io
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from bad_inputs.deployment import onnx_of
from command_line import Place, Trained
from PIL import Image
from torch import nn

import cnnlab
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.deploy.export import onnx_file
from cnnlab.deploy.export import run as export_run
from cnnlab.deploy.export.agreement import agreement
from cnnlab.deploy.export.contribution import exports
from cnnlab.network.exported.metadata import weights_hash
from cnnlab.network.open import open_run
from cnnlab.network.session import Session

DOCS = Path(__file__).parent.parent.parent / "docs"


class Net(nn.Module):
    """A convolution with a norm that is none of identity, and a linear layer; a second output beside the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.linear = nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.Linear(6, 4)
        with torch.no_grad():
            self.norm.running_mean.normal_()
            self.norm.running_var.uniform_(0.5, 2)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        maps = self.norm(self.conv(images)).relu()
        return {"logits": 9 * self.linear(maps.mean((2, 3))), "maps": maps}


@pytest.fixture(scope="module")
def opened() -> Any:
    torch.manual_seed(1)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    return cnnlab.open(Net(), size=(12, 16), classes=["ä", "b", "c", "d"], mean=mean, std=std, device="cpu")


@pytest.fixture(scope="module")
def place(opened: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the network as `model.onnx`, and photos of several sizes and modes."""
    folder = tmp_path_factory.mktemp("deployed")
    opened.export(folder / "model.onnx")
    values = np.random.default_rng(0)
    for number, shape in enumerate([(60, 80, 3), (50, 30, 4), (12, 16), (97, 41, 3), (300, 500, 3)]):
        Image.fromarray(values.integers(0, 256, shape, dtype=np.uint8)).save(folder / f"{number}.png")
    yield folder
    shutil.rmtree(folder)


def test_onnxruntime_and_cnnlab_read_the_same_answers_classes_and_preparation_from_the_file(
    opened: Any, place: Path
) -> None:
    photos = [str(place / f"{number}.png") for number in range(5)]
    ours = opened.predict(photos)
    theirs = cnnlab.open(place / "model.onnx", device="cpu")
    assert theirs.classes == ("ä", "b", "c", "d")
    for count in (1, 3, 5):
        torch.testing.assert_close(theirs.predict(photos[:count]).probabilities, ours.probabilities[:count])
    assert theirs.predict(photos).labels == ours.labels

    import onnx
    import onnxruntime

    session = onnxruntime.InferenceSession(place / "model.onnx")
    assert session.get_inputs()[0].shape == ["batch", 3, 12, 16]
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["class_names"]) == ["ä", "b", "c", "d"]
    assert json.loads(said["size"]) == [12, 16]
    assert json.loads(said["std"]) == [0.2, 0.25, 0.3]
    assert said["weights_sha256"] == weights_hash(opened.model)
    model = onnx.load(place / "model.onnx")
    onnx.checker.check_model(model)
    assert not any(one.data_location for one in model.graph.initializer), "one file, nothing beside it"


def test_the_page_that_uses_the_file_without_cnnlab_says_the_same(opened: Any, place: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "deploy.md").read_text(), re.DOTALL)
    assert "cnnlab" not in block
    for number in range(5):
        shutil.copy(place / f"{number}.png", place / "photo.png")
        image = Image.open(place / "photo.png")
        if image.mode == "RGBA":  # pillow forgets transparency, cnnlab lays it on white
            image.convert("RGB").save(place / "photo.png")
        space: dict[str, Any] = {}
        with chdir(place), redirect_stdout(io.StringIO()) as said:
            exec(block, space)
        (ours,) = opened.predict(place / "photo.png")
        theirs = torch.tensor(space["logits"]).softmax(1)[0]
        assert said.getvalue().split()[0] == ours.label
        torch.testing.assert_close(theirs, torch.tensor(ours.probabilities), atol=0.03, rtol=0)


@pytest.mark.parametrize("to", ["pt2", "safetensors", "folder"])
def test_what_is_written_otherwise_is_compared_too(opened: Any, place: Path, to: str) -> None:
    made = opened.export(place / f"net-{to}", to=to)
    assert made.largest_difference < 1e-6
    assert made.facts.agreement.images == 8
    with pytest.raises(RequestError, match="is there already"):
        opened.export(made.path, to=to)
    opened.export(made.path, to=to, overwrite=True)
    assert not [path for path in place.iterdir() if path.name.startswith(".")]


def test_a_program_of_torch_says_the_same_for_any_number_of_images(opened: Any, place: Path) -> None:
    path = opened.export(place / "net.pt2", to="pt2").path
    inside = {"cnnlab.json": ""}
    program = torch.export.load(path, extra_files=inside).module()
    images = torch.randn(7, 3, 12, 16)
    torch.testing.assert_close(program(images), opened.model.eval()(images), rtol=0, atol=1e-6)
    assert json.loads(inside["cnnlab.json"])["class_names"] == ["ä", "b", "c", "d"]


class Loop(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        for one in range(images.shape[0]):
            images = images + 0 * images[one]
        return images.mean((2, 3))


class Decomposed(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svdvals(images).mean(-1)


class NotANumber(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) * torch.nan


class Random(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) + torch.randn(3)


@pytest.mark.parametrize(
    ("net", "to", "said"),
    [
        (Loop(), "pt2", "cannot be exported for any number of images: its code takes that number for fixed"),
        (Decomposed(), "onnx", "cannot be exported to ONNX, which has nothing for aten._linalg_svd"),
        (NotANumber(), "pt2", "itself puts out NaN or infinite logits"),
        (Random(), "pt2", "computes something else"),
    ],
    ids=["a loop over images", "an operation that ONNX lacks", "NaN", "random answers"],
)
def test_what_cannot_be_exported_is_told_and_leaves_no_file(net: nn.Module, to: Any, said: str, tmp_path: Path) -> None:
    asked = cnnlab.open(net, size=8, mean=0, std=1, device="cpu")
    with pytest.raises((RequestError, WorkError), match=said):
        asked.export(tmp_path / "net", to=to)
    assert list(tmp_path.iterdir()) == []


def test_what_computes_something_else_is_no_file(opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Off(nn.Module):
        def forward(self, images: torch.Tensor) -> Any:
            return opened.model.eval()(images) + 1e-2

    wrong = export_run.format_named("safetensors")
    monkeypatch.setattr(
        export_run, "format_named", lambda name: type(wrong)(**{**vars(wrong), "read": lambda *_: Off()})
    )
    with pytest.raises(WorkError, match=r"differ by up to 0\.01 .* nothing was written"):
        opened.export(tmp_path / "net.safetensors", to="safetensors")
    assert list(tmp_path.iterdir()) == []


def test_one_answer_that_differs_is_enough() -> None:
    rows = torch.tensor([[0.0, 1e-6]]).expand(8, 2)

    class Says(nn.Module):
        def __init__(self, rows: torch.Tensor) -> None:
            super().__init__()
            self.rows = rows

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.rows[: len(images)]

    found = agreement(Says(rows), Says(rows.flip(1)), torch.zeros(8, 1, 1, 1))
    assert found.difference < found.tolerance
    assert not found.holds
    assert not agreement(Says(rows), Says(rows * torch.nan), torch.zeros(8, 1, 1, 1)).holds


def test_an_old_exporter_and_a_missing_one_are_told(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file.importlib.metadata, "version", lambda name: "0.6.2")
    with pytest.raises(RequestError, match=r"onnxscript is 0\.6\.2, .* 0\.7 or newer: pip install cnnlab\[onnx\]"):
        opened.export(tmp_path / "net.onnx")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(RequestError, match=r"needs onnxruntime, which is not installed: pip install cnnlab\[onnx\]"):
        opened.export(tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_written_anew_keeps_what_is_not_its_own(opened: Any, tmp_path: Path) -> None:
    opened.export(tmp_path / "hub", to="folder")
    for name in ("photo.txt", "rejection.safetensors"):  # of a person, and of an export with a threshold
        (tmp_path / "hub" / name).write_text("there before")
    assert opened.export(tmp_path / "hub", to="folder", overwrite=True).facts.use.startswith("cnnlab predict FILE.py")
    assert {path.name for path in (tmp_path / "hub").iterdir()} == {
        "README.md", "config.json", "model.safetensors", "photo.txt",
    }  # fmt: skip


def test_a_folder_with_weights_of_another_network_is_refused(tmp_path: Path) -> None:
    net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
    net.export(tmp_path / "hub", to="folder")
    told = json.loads((tmp_path / "hub" / "config.json").read_text())
    told["cnnlab"]["weights_sha256"] = "0" * 64
    (tmp_path / "hub" / "config.json").write_text(json.dumps(told))
    with pytest.raises(RequestError, match=r"holds other weights than config\.json was written for"):
        cnnlab.open(tmp_path / "hub")


def test_an_onnx_of_another_program_takes_what_is_said_of_it(tmp_path: Path) -> None:
    (tmp_path / "mean.onnx").write_bytes(onnx_of(sides=(2, 3, "h", "w")))
    with pytest.raises(RequestError, match=r"`size`: .* does not tell what images it is for"):
        cnnlab.open(tmp_path / "mean.onnx")
    net = cnnlab.open(tmp_path / "mean.onnx", size=4, mean=0.5, std=0.25, classes=["r", "g", "b"], device="cpu")
    image = np.zeros((3, 4, 4, 3), np.uint8)
    image[..., 1] = np.array([255, 128, 0])[:, None, None]
    expected = torch.zeros(3, 3) - 2
    expected[:, 1] = (torch.tensor([255, 128, 0]) / 255 - 0.5) / 0.25
    torch.testing.assert_close(net.predict(image).probabilities, expected.softmax(1))


def test_a_folder_of_a_run_is_a_card_and_opens_again(trained: Trained, tmp_path: Path) -> None:
    call = Place(tmp_path)
    shutil.copytree(trained.run, call.runs / "tiny", ignore=shutil.ignore_patterns("tensorboard", "reports"))
    rejecting = ("reject", "tiny", "--score", "energy", "--outside", "noise", "--count", "20", "--train-count", "20")
    assert call(*rejecting, "--json").code == 0
    made = call("export", "tiny", "--to", "folder", "--out", tmp_path / "hub", "--json")
    assert made.code == 0, made.err
    document = made.json()
    assert document["images_are_real"]
    assert document["answers_equal"] == document["answers"] == 8
    assert {path.name for path in (tmp_path / "hub").iterdir()} == {
        "README.md", "config.json", "model.safetensors", "network.yaml", "rejection.safetensors",
    }  # fmt: skip
    card = (tmp_path / "hub" / "README.md").read_text()
    front = card.split("---\n")[1]
    assert "pipeline_tag: image-classification" in front
    evaluated = call("eval", "tiny", "--json").json()
    low, high = evaluated["ci95"]
    assert f"| {evaluated['accuracy']:.2%} [{low:.2%}, {high:.2%}] |" in card
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(tmp_path / "i.png")
    ours = call("predict", "tiny", tmp_path / "i.png", "--json").json()
    assert call("predict", tmp_path / "hub", tmp_path / "i.png", "--json").json() == ours

    ours = call("predict", "tiny", tmp_path / "i.png", "--reject", "--json").json()
    rule = json.loads((tmp_path / "hub" / "config.json").read_text())["cnnlab"]["threshold"]
    assert rule["score"] == "energy"
    assert f"score (energy) is below {rule['threshold']:.4g}" in card
    assert "| noise | 20 |" in card
    assert call("export", "tiny", "--out", tmp_path / "t.onnx", "--json").json()["metadata"]["threshold"] == rule
    assert call("export", "tiny", "--to", "pt2", "--out", tmp_path / "t.pt2").code == 0
    fused = call("export", "tiny", "--fuse", "--out", tmp_path / "fused.onnx", "--json")
    assert fused.json()["metadata"]["threshold"] == rule, fused.err
    assert "layers are not at hand" in call("fuse", tmp_path / "t.pt2", "--allow-plugins").err
    for model in (["hub"], ["t.onnx"], ["t.pt2", "--allow-plugins"]):
        answered = call("predict", tmp_path / model[0], tmp_path / "i.png", "--reject", "--json", *model[1:])
        (theirs,) = answered.json()
        assert theirs["score"] == pytest.approx(ours[0]["score"], abs=1e-4)
        assert theirs["threshold"] == ours[0]["threshold"] == rule["threshold"]
    otherwise = call("predict", tmp_path / "t.onnx", tmp_path / "i.png", "--reject", "--mean", "0", "--std", "1")
    assert otherwise.code == 2
    assert "has a threshold of rejection for images as it prepares them; --mean is another" in otherwise.err

    assert not (call.runs / "tiny" / "exports.jsonl").exists(), "with --out the run stays as it was"
    for again in ([], ["--overwrite"]):
        assert call("export", "tiny", "--to", "safetensors", *again).code == 0
    studied: Any = SimpleNamespace(network=open_run("tiny", Session(device_name="cpu", runs=call.runs)))
    (said,) = exports(studied)
    (section,) = said.blocks
    (row,) = section.blocks[0].rows  # the one that was replaced is told no more
    assert (row[0], row[1]) == ("reports/export/tiny.safetensors", "safetensors")
    assert (row[4], *row[6:]) == (0, "8 of 8", "those of this page")
    assert "Compared on 8 images of the validation part of shapes." in section.blocks[0].note
    (call.runs / "tiny" / row[0]).unlink()
    (said,) = exports(studied)
    assert said.blocks[0].blocks[0].rows[0][0] == "reports/export/tiny.safetensors (no longer there)"
