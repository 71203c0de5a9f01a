"""What is taken for a kernel, a matrix or a network; filters of networks; images of every kind."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

import cnnlab
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.layers_lab.kernel.borders import correlated
from cnnlab.layers_lab.kernel.subject import MOST_PIXELS, in_network, is_of_a_network, kernel_of, on_image
from cnnlab.network.image_files import Source
from cnnlab.network.open import open_network
from cnnlab.network.placement import WHOLE
from cnnlab.network.prepared_images import ExplainedImage
from cnnlab.network.session import Session


def test_the_same_matrix_however_it_is_written() -> None:
    for text in ("1 0 -1; 2 0 -2", "1,0,-1;2,0,-2", "1 0 -1 / 2 0 -2", "1 0 -1\n2 0 -2"):
        assert kernel_of(text)[1].tolist() == [[1, 0, -1], [2, 0, -2]]


def test_what_is_meant_by_a_word(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    networks = ("mine", "torchvision:resnet18", "net.py:Net(depth=20)", "runs/other", "model.yaml")
    kernels = ("sobel_x", "gaussian:sigma=2", "sobell", "gausian:sigma=2", "1 0 -1", "-.5", "a 1; 2 3")
    assert [is_of_a_network(text, tmp_path) for text in networks] == [True] * len(networks)
    assert [is_of_a_network(text, tmp_path) for text in kernels] == [False] * len(kernels)


def test_an_image_is_its_brightness() -> None:
    """Grey, colour, transparency: white paper shines through."""
    for mode, colour, expected in (("L", 51, 0.2), ("RGB", (51, 51, 51), 0.2), ("RGBA", (0, 0, 0, 0), 1.0)):
        subject = on_image(kernel_of("identity"), Source("p", image=Image.new(mode, (5, 4), colour)))
        assert subject.values.shape == (1, 4, 5)
        assert subject.values.unique().tolist() == [pytest.approx(expected)]


def test_a_large_image_is_made_smaller_and_that_is_said() -> None:
    subject = on_image(kernel_of("identity"), Source("p", image=Image.new("L", (2048, 1024), 100)))
    assert subject.values.numel() <= MOST_PIXELS
    assert subject.values.mean() == pytest.approx(100 / 255)
    assert subject.remarks == ("1024 × 2048 pixels were made 724 × 1448.",)


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.ReLU(),
        nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2, bias=False),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2),
    ).eval()  # fmt: skip


@pytest.mark.parametrize(("layer", "channel"), [(None, 3), ("2", 1), ("2", 4)])
def test_a_filter_slid_over_the_layers_input_is_a_channel_of_its_output(
    module: nn.Module, layer: str | None, channel: int
) -> None:
    network = open_network(module, Session(device_name="cpu"), size="16", for_images=True, mean="0.5", std="0.25")
    image = ExplainedImage("p", torch.randint(256, (3, 16, 16), dtype=torch.uint8), WHOLE, None, None)
    subject = in_network(network, image, layer, channel)
    with torch.no_grad():
        inputs = network.preparation.inputs(image.pixels[None])
        expected = module[: int(layer or 0) + 1](inputs)[0, channel]
    assert torch.allclose(correlated(subject.values, subject.weights, "zero"), expected, atol=1e-5)


def test_from_python(module: nn.Module) -> None:
    image = (torch.rand(3, 20, 20) * 255).to(torch.uint8)
    net = cnnlab.open(module, size=16, classes=["cat", "dog"], mean=0.5, std=0.25)
    found = net.kernel(image, layer="2", channel=5, border="circular")
    assert found.weights.shape == (2, 5, 5)
    assert found.agree
    given = cnnlab.kernel([[0, 1], [2, 3]], image)
    assert set(given.borders) == {"zero", "reflect", "replicate", "circular", "valid"}
    assert given.to_dict()["kernel"] == "the matrix 2 × 2"
    with pytest.raises(RequestError, match="no matrix of numbers"):
        cnnlab.kernel([[0, 1], [2]], image)
    with pytest.raises(RequestError, match="layer '2' has 6 filters, from 0"):
        net.kernel(image, layer="2", channel=6)


def test_a_filter_that_diverged_and_a_kernel_beyond_all_numbers_are_refused() -> None:
    network = cnnlab.open(nn.Sequential(nn.Conv2d(3, 2, 8), nn.Flatten()), size=8, device="cpu")
    next(network.model.parameters()).data[0, 0, 0, 0] = float("nan")
    image = Image.new("RGB", (8, 8), "white")
    with pytest.raises(WorkError, match="or what it is given is NaN"):
        network.kernel(image)
    with pytest.raises(RequestError, match="is too large for outputs in single precision"):
        cnnlab.kernel("1e38 1e38", image)
