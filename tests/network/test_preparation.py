"""Networks ready for images: whose statistics, which classes, what weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import DataPlace
from cnnlab.network.network import Network
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.network.zoos import IMAGENET

CONFIG = """
name: tiny
data: {dataset: {shapes: {train_count: 100, size: 16}}}
model:
  - conv_bn_act: {channels: 4, stride: 2}
  - global_avg_pool
  - linear
"""


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    Path("tiny.yaml").write_text(CONFIG)

    def call(text: str, **more: Any) -> Network:
        return open_network(text, Session(device_name="cpu", data=None), for_images=True, **more)

    return call


def test_a_config_has_the_statistics_of_its_data(prepare: Any) -> None:
    found = prepare("tiny.yaml")
    part = found.part("train", DataPlace(Path()))
    pixels = part.images.double().div(255)
    assert found.preparation.statistics.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist())
    assert found.classes == part.classes
    assert not found.trained
    assert found.weights == "random weights (seed 0)"
    inputs = found.preparation.inputs(part.images)
    torch.testing.assert_close(inputs.double().mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64), atol=1e-5, rtol=0)
    assert len(found.part("validation", DataPlace(Path()))) == 10


def test_another_size(prepare: Any) -> None:
    assert prepare("tiny.yaml", size="24").preparation.shape == (3, 24, 24)
    found = prepare("tiny.yaml", size="24,32")
    assert found.preparation.shape == (3, 24, 32)
    assert found.preparation.fitting(torch.zeros(3, 9, 9, dtype=torch.uint8)).shape == (3, 24, 32)
    with pytest.raises(RequestError, match="tiny is for images of 3 channels, not 4"):
        prepare("tiny.yaml", size="4,16,16")


def test_torchvision_has_imagenet_s(prepare: Any) -> None:
    found = prepare("torchvision:squeezenet1_1", size="64")
    assert found.preparation.statistics == IMAGENET
    assert len(found.classes) == 1000
    assert found.classes[:2] == ("tench", "goldfish")
    assert not found.model.training
    with pytest.raises(RequestError, match="has no images of its own"):
        found.part("validation", DataPlace(Path()))


def test_weights_of_a_file(prepare: Any) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        other = models.squeezenet1_1(weights=None)
    save_file(other.state_dict(), "w.safetensors")
    found = prepare("torchvision:squeezenet1_1", size="64", weights="w.safetensors")
    assert found.trained
    assert found.weights == "weights of w.safetensors"
    image = torch.zeros(1, 3, 64, 64)
    assert torch.equal(found.model(image), other.eval()(image))
    with pytest.raises(
        RequestError, match=r"w\.safetensors: is of another network: .* those of torchvision:squeezenet1_1"
    ):
        prepare("tiny.yaml", weights="w.safetensors")
    with pytest.raises(RequestError, match="`weights` last is of a run, and tiny is none"):
        prepare("tiny.yaml", weights="last")


def test_statistics_are_shown_with_the_digits_that_they_have() -> None:
    made = open_network(
        nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        Session(device_name="cpu"),
        size=8,
        mean="0.5,0.1307,0",
        std=0.0001234,
        for_images=True,
    )
    assert "mean 0.500, 0.1307, 0.000 taken off, divided by 0.0001234, 0.0001234" in made.preparation.sentence
