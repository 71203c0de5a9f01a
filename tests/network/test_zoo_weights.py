"""Weights by a zoo's name for them: the oracle is the zoo's own loading of the same file."""

import hashlib
import re
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from cnnlab.config.shipped import shipped_configs
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.network import zoo_weights as module
from cnnlab.network.downloads import Download, fetched
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.network.weights.formats import names_a_file
from cnnlab.network.zoo_weights import known_by_file, zoo_weights

SESSION = Session(device_name="cpu")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache of weights, empty, and the hub's with it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"), raising=False)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in the cache are taken whatever their SHA-256: a test's own cannot have that of the zoo's."""
    monkeypatch.setattr("cnnlab.network.downloads._check_digits", lambda *_: None)


def randomly(model: nn.Module) -> nn.Module:
    """The network with statistics of batch norm that do not leave things as they are."""
    for one in model.modules():
        if isinstance(one, nn.BatchNorm2d):
            nn.init.uniform_(one.running_var, 0.5, 1.5)
            nn.init.normal_(one.running_mean, std=0.1)
    return model.eval()


@pytest.mark.usefixtures("trusting")
def test_a_zoo_s_weights_bring_their_preparation_and_classes(cache: Path) -> None:
    weights = models.MobileNet_V3_Small_Weights.IMAGENET1K_V1
    theirs = randomly(models.mobilenet_v3_small())
    torch.save(theirs.state_dict(), cache / Download.of(weights.url).name)
    for name in ("DEFAULT", "imagenet1k_v1", "MobileNet_V3_Small_Weights.IMAGENET1K_V1"):
        assert zoo_weights("torchvision:mobilenet_v3_small", name).name == "IMAGENET1K_V1"
    ours = open_network("torchvision:mobilenet_v3_small", SESSION, weights="IMAGENET1K_V1", size="64")
    assert all(torch.equal(one, theirs.state_dict()[key]) for key, one in ours.model.state_dict().items())
    assert ours.trained
    assert ours.weights == "the IMAGENET1K_V1 weights of torchvision:mobilenet_v3_small"
    assert (ours.shape, ours.classes[0], ours.logits) == ((3, 64, 64), "tench", 1000)
    assert ours.preparation.crop_share == 224 / 256
    with pytest.raises(RequestError, match=r"`classes` are 5, and the IMAGENET1K_V1 weights .* are for 1,000"):
        open_network("torchvision:mobilenet_v3_small", SESSION, weights="DEFAULT", classes=5)


def test_a_file_by_the_zoo_s_name_for_it_brings_the_preparation_of_its_weights() -> None:
    first, second = (known_by_file("torchvision:resnet50", Path(f"/elsewhere/{name}.pth"))
                     for name in ("resnet50-0676ba61", "resnet50-11ad3fa6"))  # fmt: skip
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("IMAGENET1K_V1", "IMAGENET1K_V2")
    assert [one.offer.preparation.crop_share for one in (first, second)] == [224 / 256, 224 / 232]
    assert known_by_file("torchvision:resnet50", Path("mine.pth")) is None


@pytest.mark.usefixtures("trusting")
def test_googlenet_gets_what_it_makes_itself_of_imagenet_s_images(cache: Path) -> None:
    theirs: Any = randomly(models.googlenet(init_weights=False))
    torch.save(theirs.state_dict(), cache / Download.of(models.GoogLeNet_Weights.DEFAULT.url).name)
    # as torchvision makes it with its own weights, of images in ImageNet's way
    theirs.transform_input, theirs.aux1, theirs.aux2 = True, None, None
    weights = models.GoogLeNet_Weights.DEFAULT
    pixels = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (weights.transforms().mean, weights.transforms().std))
    with torch.no_grad():
        expected = theirs((pixels / 255 - mean) / std)
        ours = open_network("googlenet", SESSION, weights="DEFAULT", size="64")  # a list of layers, filled by structure
        torch.testing.assert_close(ours.model(ours.preparation.inputs(pixels)), expected, rtol=1e-4, atol=1e-4)


def test_a_config_takes_a_file_under_its_counterpart_s_names_or_its_own(tmp_path: Path) -> None:
    few = randomly(models.resnet18(num_classes=7))
    torch.save({"state_dict": {f"module.{name}": one for name, one in few.state_dict().items()}}, tmp_path / "few.pt")
    images = torch.randn(2, 3, 64, 64)
    ours = open_network("resnet18", SESSION, weights=tmp_path / "few.pt", size="64", for_images=True)
    with torch.no_grad():
        torch.testing.assert_close(ours.model(images), few(images), rtol=1e-4, atol=1e-4)
    assert (ours.trained, ours.config, ours.logits) == (True, None, 7)
    assert ours.preparation.statistics.mean == (0.485, 0.456, 0.406)
    assert ours.fresh is not None
    assert ours.fresh(1)(images).shape == (2, 7)
    assert "loaded by structure" in ours.weights
    assert any("'module.' taken off the names" in remark for remark in ours.remarks)
    # its own names, for other classes than its data has
    torch.save(ours.model.state_dict(), tmp_path / "own.pt")
    own = open_network("resnet18", SESSION, weights=str(tmp_path / "own.pt"), size="64", classes="a,b,c,d,e,f,g")
    assert (own.logits, own.classes[6], own.config) == (7, "g", None)


@pytest.mark.parametrize(
    ("what", "weights", "message"),
    [
        ("torchvision:resnet18", "IMAGENET1K_V3", "no weights of torchvision:resnet18 'IMAGENET1K_V3'; known: IMA"),
        ("lenet5", "IMAGENET1K_V1", "no file, and .*lenet5.yaml names no counterpart .* give a file, or add such as"),
        ("net.yaml", "DEFAULT", r"no network 'resnt18'; known: .* Did you mean 'resnet18'\? They are torchvision's"),
        ("other.yaml", "w.pt", "w.pt: is of another network: .*; its tensors are those of torchvision:squeeze"),
        ("torchvision:resnet18", "w.pt", "is of another network: .*; its tensors are those of torchvision:squeeze"),
        ("timm:resnet18", "a1_in1", "no weights of timm:resnet18 'a1_in1'; known: a1_in1k, .* Did you mean 'a1_in1k'"),
    ],
)
def test_what_is_not_there_or_does_not_fit_is_told(
    what: str, weights: str, message: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "counterpart: torchvision:{}\nmodel: [conv_bn_act: {{channels: 4}}, global_avg_pool, linear]\n"
    Path("net.yaml").write_text(text.format("resnt18"))
    Path("other.yaml").write_text(text.format("resnet18"))
    if weights == "w.pt":
        torch.save(models.squeezenet1_1().state_dict(), "w.pt")
    with pytest.raises(RequestError, match=message):
        open_network(what, SESSION, weights=weights)


@pytest.mark.usefixtures("trusting")
def test_a_counterpart_that_is_another_network_is_told_by_the_first_layer_that_differs(
    cache: Path, tmp_path: Path
) -> None:
    torch.save(models.resnet18().state_dict(), cache / Download.of(models.ResNet18_Weights.DEFAULT.url).name)
    config = tmp_path / "net.yaml"
    config.write_text("counterpart: torchvision:resnet18\nmodel: [conv: {channels: 4}, global_avg_pool, linear]\n")
    with pytest.raises(
        RequestError,
        match=r"torchvision:resnet18 is not the same network as that of net: .* differ at their layer 1: 'conv1' has "
        r"weight \(4, 3, 3, 3\).* 'conv1' weight \(64, 3, 7, 7\)",
    ):
        open_network(config, SESSION, weights="DEFAULT")


def test_timm_fills_its_own_networks(cache: Path) -> None:
    library = pytest.importorskip("timm")
    from safetensors.torch import save_file

    theirs = randomly(library.create_model("test_resnet", pretrained=False))
    tag = zoo_weights("timm:test_resnet").name
    save_file(theirs.state_dict(), cache / f"test_resnet.{tag}.safetensors")
    ours = open_network("timm:test_resnet", SESSION, weights=tag)
    images = torch.randn(1, *ours.shape)
    with torch.no_grad():
        torch.testing.assert_close(ours.model(images), theirs(images))
    assert (ours.shape, ours.logits) == ((3, 160, 160), 1000)
    save_file({"conv9": torch.ones(3)}, cache / f"test_resnet.{tag}.safetensors")
    with pytest.raises(RequestError, match=r"timm:test_resnet\..*: the weights of .* do not fit it: Error"):
        open_network("timm:test_resnet", SESSION, weights="DEFAULT")


CONTENT = b"PK\x03\x04 not really weights"


class Server(BaseHTTPRequestHandler):
    """Gives `CONTENT` for every file but one that is missing, and a page."""

    def do_GET(self) -> None:
        """Answer."""
        content = b"<html><title>Log in</title></html>" if "page" in self.path else CONTENT
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_files_are_downloaded_once_and_held_to_their_digits(cache: Path, address: str) -> None:
    digits = hashlib.sha256(CONTENT).hexdigest()[:8]
    file = Download.of(f"{address}/net-{digits}.pth?x=1")
    assert fetched("net", file) == cache / f"net-{digits}.pth"
    assert file.path.read_bytes() == CONTENT
    assert fetched("net", Download(f"{address}/missing", file.name, digits)) == file.path  # nobody asks again
    file.path.write_bytes(b"something else")
    with pytest.raises(RequestError, match=f"damaged or another file: .* not with {digits}; remove it, and it is"):
        fetched("net", file)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "net-0123abcd.pth",
            r"cannot be downloaded \(what came is another file: its SHA-256 does not begin",
        ),
        ("missing-0123abcd.pth", r"cannot be downloaded \(the server says 404 Not Found\); put the file of http"),
        ("page.safetensors", r"what http://.*/page.safetensors gave is a web page \('Log in'\) .*; put the file"),
    ],
)
def test_what_cannot_be_downloaded_leaves_nothing_and_says_what_to_put_where(
    name: str, message: str, cache: Path, address: str
) -> None:
    with pytest.raises(WorkError, match=message) as told:
        fetched("net", Download.of(f"{address}/{name}"))
    assert str(cache / name) in str(told.value)
    assert f"{address}/{name}" in str(told.value)
    assert list(cache.iterdir()) == []


def test_no_network_no_proxy_and_no_room_are_told(cache: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    gone = Download.of("http://127.0.0.1:9/net-0123abcd.pth")
    with pytest.raises(WorkError, match=r"not on this machine and cannot be downloaded \(.*Connection refused\)"):
        fetched("net", gone)
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setenv("http_proxy", f"{address}/missing")  # which answers for every server
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(WorkError, match=r"cannot be downloaded \(the server says 404 Not Found\)"):
        fetched("net", Download.of("http://example.invalid/missing-0123abcd.pth"))
    monkeypatch.setattr(urllib.request, "_opener", None)
    cache.chmod(0o500)
    monkeypatch.setattr(torch.hub, "download_url_to_file", _full)
    with pytest.raises(WorkError, match=r"net-0123abcd.pth: the weights of net: No space left .*; make room on that"):
        fetched("net", gone)
    cache.chmod(0o700)
    gone.path.mkdir()
    with pytest.raises(RequestError, match=r"net-0123abcd.pth is no file; move it away"):
        fetched("net", gone)


def _full(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def test_names_and_files_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [names_a_file(one) for one in ("a.pth", "x/y", "W.SafeTensors", Path("w"))] == [True] * 4
    assert not names_a_file("IMAGENET1K_V1")
    Path("IMAGENET1K_V1").touch()
    assert names_a_file("IMAGENET1K_V1")
    assert set(module.WEIGHTS) == set(module.ZOOS)


def test_each_counterpart_that_the_zoo_s_files_name_has_weights_of_their_classes() -> None:
    files = [path for name, path in shipped_configs().items() if name.startswith("zoo/")]
    named = {path.stem: re.findall(r"^counterpart: (\S+)$", path.read_text(), re.MULTILINE) for path in files}
    assert len([one for one in named.values() if one]) >= 19
    for name, counterparts in named.items():
        for counterpart in counterparts:
            assert zoo_weights(counterpart).count == 1000, name
