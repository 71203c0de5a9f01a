"""What a training begins with, by name, by structure and from files: the oracle is the zoo's network itself."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from cnnlab.config.config import Config, read_config
from cnnlab.core.errors import CnnlabError, RequestError, WorkError
from cnnlab.network import downloads
from cnnlab.network.fresh import new_network
from cnnlab.network.inheritance import adapted_kernels, inherit
from cnnlab.network.session import Session
from cnnlab.network.zoo_weights import zoo_weights
from cnnlab.project.config.check import check

TINY = """name: tiny
counterpart: torchvision:squeezenet1_0
model: [conv: {channels: 4}, relu, global_avg_pool, linear]
"""
NAMES = tuple("abcdefghij")
SESSION = Session(device_name="cpu", runs=Path("absent"))


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """torch's cache with random weights of one network, which are taken for torchvision's own."""
    folder = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(folder))
        patch.setattr(downloads, "_check_digits", lambda *_: None)
        model = models.squeezenet1_1().eval()
        file = zoo_weights("torchvision:squeezenet1_1").source.path
        file.parent.mkdir(parents=True)
        torch.save(model.state_dict(), file)
        yield SimpleNamespace(model=model, folder=folder, file=file)


def small(*overrides: str) -> Config:
    """The zoo's SqueezeNet, of ten classes."""
    return read_config(Path("squeezenet"), ("data.dataset={shapes: {size: 32}}", *overrides))


def begun(config: Config, channels: int = 3) -> tuple[nn.Module, Any]:
    """Its network with what it begins with, and what was taken."""
    shape = (channels, 32, 32)
    model = new_network(config, shape, len(NAMES)).eval()
    return model, inherit(model, config, shape, NAMES, SESSION)


def test_a_zoo_s_weights_fill_a_list_of_layers_but_for_its_head(zoo: Any) -> None:
    model, taken = begun(small("weights=IMAGENET1K_V1"))
    theirs = zoo.model.state_dict()
    assert taken.head == ("conv1.weight", "conv1.bias")
    assert taken.facts.by_structure
    assert (taken.facts.taken, taken.facts.tensors) == (len(theirs) - 2, len(theirs))
    assert taken.statistics.mean == (0.485, 0.456, 0.406)
    assert "conv1.weight [1000, 512, 1, 1] there, [10, 512, 1, 1] here" in taken.remarks[-1]
    last = zoo.model.classifier[1]
    zoo.model.classifier[1] = model.get_submodule("conv1")
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(images), zoo.model(images))
    zoo.model.classifier[1] = last
    own = model.state_dict()
    for asked in ("torchvision:squeezenet1_1", "zoo/squeezenet:DEFAULT"):
        other, _ = begun(small(f"init_from={asked}"))
        given = other.state_dict()
        assert all(torch.equal(given[name], one) for name, one in own.items() if not name.startswith("conv1."))


def test_a_file_under_the_counterpart_s_names_is_taken_and_grey_images_when_asked(zoo: Any, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm.models")
    weights = {f"_orig_mod.{name}": one for name, one in models.squeezenet1_1(num_classes=5).state_dict().items()}
    torch.save(weights, tmp_path / "w.pt")
    grey = small(f"weights={tmp_path / 'w.pt'}", "data.dataset.shapes.channels=1")
    with pytest.raises(
        RequestError, match=r"is \[64, 3, 3, 3\], .* \[64, 1, 3, 3\]: it saw images of 3 channels, and "
    ):
        begun(grey, 1)
    model, taken = begun(grey.model_copy(update={"adapt_channels": True}), 1)
    kernels = weights["_orig_mod.features.0.weight"]
    torch.testing.assert_close(next(model.parameters()).data, timm.adapt_input_conv(1, kernels))
    torch.testing.assert_close(adapted_kernels(kernels, 5), timm.adapt_input_conv(5, kernels))
    assert taken.statistics is None
    assert any("'_orig_mod.' taken off the names" in one for one in taken.remarks)
    assert "[5, 512, 1, 1] there, [10, 512, 1, 1] here" in taken.remarks[-1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("init_from: torchvision:resnt18", "init_from: no network 'resnt18'; known: .* Did you mean 'resnet18'"),
        ("init_from: torchvision:resnet18:V9", "init_from: no weights of torchvision:resnet18 'V9'; known: IMAGENET"),
        ("init_from: tinny", "init_from is 'tinny': no file of weights, .* no config of cnnlab such as resnet18, and"),
        (
            "init_from: lenet5",
            "init_from is 'lenet5': .*lenet5.yaml names no counterpart in a zoo, so .* train it, and",
        ),
        ("weights: IMAGENET1K_V2", "weights: no weights of torchvision:squeezenet1_0 'IMAGENET1K_V2'; known: IMA"),
        ("weights: absent.pt", "weights: absent.pt: no such file of weights"),
        (
            "weights: squeeze.pt",
            r"weights: squeeze.pt: is of another network: .* .*:squeezenet1_1; .* or leave weights out",
        ),
        (
            "weights: lora.pt",
            r"weights: lora.pt: holds an adapter's changes .*conv1.lora_A.weight.*; merge it into its",
        ),
        ("weights: text.pt", r"weights: text.pt: is no file of weights, or a damaged one"),
        ("weights: DEFAULT\ninit_from: tiny", "weights: init_from says as well what the network begins with; leave"),
        (
            "init_from: torchvision:squeezenet1_1",
            "init_from: .* is not the same network as that of tiny: .*layer 1.*; weights fit the layers that they were "
            "learned in: take model: {python: torchvision.models:squeezenet1_1}, or leave init_from out",
        ),
        (
            "init_from: three.pt\nnew_head: false",
            "init_from: .* is false: its linear1.weight is .*; leave new_head out",
        ),
        ("freeze: conv9", "freeze: 'conv9' covers no parameter"),
        ("unfreeze: {3: conv1}", "unfreeze: 'conv1' of epoch 3 covers nothing that is frozen"),
    ],
)
@pytest.mark.usefixtures("zoo")
def test_what_cannot_be_begun_with_is_told_with_its_place(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(TINY + line + "\n")
    torch.save(models.squeezenet1_1().state_dict(), "squeeze.pt") if "squeeze.pt" in line else None
    torch.save({"conv1.lora_A.weight": torch.ones(2, 2)}, "lora.pt")
    torch.save(new_network(read_config(Path("net.yaml")), (3, 32, 32), 3).state_dict(), "three.pt")
    Path("text.pt").write_text("weights")
    place = 1 + TINY.count("\n")
    with pytest.raises(CnnlabError, match=rf"^net.yaml:{place}:1: {message}"):
        check(read_config(Path("net.yaml")), SESSION)


def test_a_check_says_what_would_be_taken_and_downloads_nothing(zoo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("a download"))
    found = check(small("weights=DEFAULT", "freeze=all but head"), SESSION)
    assert found.inherited is not None
    assert found.inherited.head == ("conv1.weight", "conv1.bias")
    assert found.trainable == 512 * 10 + 10
    assert not any("not here yet" in one for one in found.remarks)
    zoo.file.rename(zoo.file.with_suffix(".away"))
    try:
        absent = check(small("weights=DEFAULT"), SESSION)
    finally:
        zoo.file.with_suffix(".away").rename(zoo.file)
    assert absent.inherited == found.inherited
    assert any(f"downloads https://download.pytorch.org/models/{zoo.file.name} to" in one for one in absent.remarks)


@pytest.mark.usefixtures("zoo")
def test_a_download_that_fails_is_told_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(torch.hub, "download_url_to_file", gone)
    (tmp_path / "net.yaml").write_text(TINY + "weights: DEFAULT\n")
    with pytest.raises(
        WorkError, match=r"net.yaml:4:1: weights: torchvision:squeezenet1_0: its weights are not on this"
    ):
        begun(read_config(tmp_path / "net.yaml"))
