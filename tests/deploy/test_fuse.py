"""`cnnlab fuse`: what it writes every other command reads, and nothing is written that computes something else."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import Place, Trained
from torch import Tensor, nn

import cnnlab
from cnnlab.core.errors import RequestError, WorkError


@pytest.fixture(scope="module")
def fused(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Any]:
    """A copy of the trained run, and what fusing it printed."""
    place = Place(tmp_path_factory.mktemp("fused"))
    shutil.copytree(trained.run, place.runs / "tiny")
    found = place("fuse", "tiny", "--repeats", "2", "--json")
    assert found.code == 0, found.err
    return place, found.json()


def test_a_run_becomes_a_run_that_other_commands_read(fused: tuple[Place, Any]) -> None:
    place, said = fused
    assert said["path"] == "runs/tiny-fused" or Path(said["path"]) == place.runs / "tiny-fused"
    assert said["layers"] == [8, 6]
    assert [one["others"] for one in said["steps"]] == [["conv_bn_act1.norm"], ["conv_bn_act2.norm"]]
    assert all(one["difference"] < 1e-10 and one["answers"] == one["count"] == 8 for one in said["compared"])
    assert said["compared"][1]["images"].startswith("8 images of the validation part of shapes")
    assert said["speed"][0]["gain"]["repeats"] == 2
    plain, other = (place("eval", name, "--split", "validation", "--json").json() for name in ("tiny", "tiny-fused"))
    assert plain["accuracy"] == other["accuracy"]
    assert plain["loss"] == pytest.approx(other["loss"], rel=1e-5)
    table = place("summary", "tiny-fused", "--json").json()
    assert {row["kind"] for row in table["layers"]} == {
        *("Model", "Sequential", "Conv2d", "ReLU", "GlobalAvgPool2d", "Linear"),
    }
    assert place("runs").out.count("tiny") >= 2
    assert "last.pt: is missing" in place("train", "--resume", "tiny-fused").err
    assert place("export", "tiny-fused", "--to", "safetensors", "--out", "w.safetensors").code == 0
    config = place("summary", "runs/tiny/config.yaml", "--weights", "w.safetensors", "--json")
    assert config.json()["parameters"] == table["parameters"], config.err
    again = place("fuse", "tiny-fused")
    assert (again.code, again.err.strip()) == (2, "error: tiny-fused is fused already")


def test_a_fused_run_leaves_as_any_other(fused: tuple[Place, Any], tmp_path: Path) -> None:
    place, _ = fused
    out = tmp_path / "hub"
    result = place("export", "tiny", "--fuse", "--to", "folder", "--out", out, "--json")
    assert result.code == 0, result.err
    assert result.json()["largest_difference"] < 1e-4
    net = cnnlab.open(str(out), device="cpu")
    first = cnnlab.open("tiny", runs=place.runs, device="cpu")
    images = torch.randint(256, (3, 3, 16, 16), dtype=torch.uint8)
    torch.testing.assert_close(net.predict(images).probabilities, first.predict(images).probabilities)
    assert not any("norm" in name for name, _ in net.model.named_modules())


class Net(nn.Module):
    """A convolution with a norm, and a drop-out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop, self.linear = (
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Dropout(0.5), nn.Linear(6, 4),
        )  # fmt: skip
        with torch.no_grad():
            self.norm.running_mean.normal_()
            self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.drop(self.norm(self.conv(x)).relu().mean((2, 3))))


def test_weights_of_an_own_module_go_into_the_same_module(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first, second = Net(), Net()
    options = {"size": (12, 12), "mean": 0.5, "std": 0.25, "classes": 4, "device": "cpu", "max_batch": 1}
    state = {name: value.clone() for name, value in first.state_dict().items()}
    made = cnnlab.open(first, **options).fuse(tmp_path / "net.safetensors", repeats=1)
    assert all(torch.equal(value, state[name]) for name, value in first.state_dict().items())
    assert isinstance(made.model.norm, nn.Identity)
    assert made.gain.median > 0
    net = cnnlab.open(second, weights=tmp_path / "net.safetensors", **options)
    images = torch.randint(256, (3, 3, 12, 12), dtype=torch.uint8)
    one = cnnlab.open(first, **options).predict(images).probabilities
    torch.testing.assert_close(net.predict(images).probabilities, one)


def test_repvgg_of_the_zoo_has_the_parameters_of_its_paper_afterwards() -> None:
    from cnnlab.models.build import parameter_count
    from cnnlab.network.fused import fused as fuse
    from cnnlab.network.open import open_network
    from cnnlab.network.session import Session

    network = open_network("repvgg-a0", Session(device_name="cpu"), size="32")
    found = fuse(network.model.double(), network.shape)
    # 22 convolutions of 3 x 3 with biases, and the linear layer; 8.31 million in table 4 of the paper
    widths = [(3, 48), (48, 48), *[(48, 48)], (48, 96), *[(96, 96)] * 3, (96, 192), *[(192, 192)] * 13, (192, 1280)]
    convolutions = sum(9 * inputs * outputs + outputs for inputs, outputs in widths)
    assert parameter_count(found.model) == convolutions + 1280 * network.logits + network.logits
    assert not any(isinstance(module, nn.BatchNorm2d) for module in found.model.modules())
    assert found.kept == ()


class Moody(nn.Module):
    """Another answer at each second call of its convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.linear = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.norm(self.conv(x)).mean((2, 3))
        return self.linear(maps if self.conv.bias is not None and isinstance(self.norm, nn.BatchNorm2d) else -maps)


def test_nothing_is_written_that_computes_something_else(tmp_path: Path) -> None:
    net = cnnlab.open(Moody(), size=(8, 8), mean=0.5, std=0.25, classes=4, device="cpu")
    with pytest.raises(WorkError, match="compute something else: on Gaussian noise their logits differ"):
        net.fuse(tmp_path / "net.safetensors", repeats=1)
    assert not list(tmp_path.iterdir())
    with pytest.raises(RequestError, match=r"nothing to fuse in Sequential"):
        cnnlab.open(nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten()), size=(8, 8), mean=0.5, std=0.25).fuse()
