"""Separable convolutions in the place of dense ones: the closed form, the shapes, and an honest list."""

from math import prod
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cnnlab.config.config import read_config
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.layers_lab.cost.swap import depthwise_separable
from cnnlab.models.build import build
from cnnlab.models.layers.convolution import StandardizedConv2d

CONFIG = """\
data: {dataset: {shapes: {train_count: 8, test_count: 8, size: 16}}}
blocks:
  stage:
    arguments: {width: }
    layers:
      - conv_bn_act: {channels: $width, kernel: 5}
      - residual: {layers: [conv_bn_act: {channels: $width, stride: 2}]}
model:
  - conv: {channels: 4}
  - stage: {width: 6}
  - depthwise
  - global_avg_pool
  - linear
"""


@pytest.mark.parametrize("seed", range(12))
def test_a_pair_is_the_layer_of_that_name_and_keeps_the_closed_form(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def draw(*among: int) -> int:
        return among[int(torch.randint(len(among), (), generator=generator))]

    inputs, channels, bias = draw(1, 3, 8), draw(2, 5, 16), bool(draw(0, 1))
    options = {"kernel": draw(2, 3, 5), "stride": draw(1, 2), "padding": draw(0, 2), "dilation": draw(1, 2)}
    words = {"channels": channels, "bias": bias, "padding_mode": ["zero", "reflect"][draw(0, 1)], **options}
    shape = (inputs, 13, 11)
    dense = component("layer", "conv", **words).build(shape=shape, classes=10)
    ours = depthwise_separable(nn.Sequential(dense))
    named = component("layer", "depthwise_separable", **words).build(shape=shape, classes=10)
    (pair,) = ours.model
    assert pair.load_state_dict(named.state_dict()) is not None
    images = torch.randn(2, *shape, generator=generator)
    assert torch.equal(pair(images), named(images))
    assert pair(images).shape == dense(images).shape
    (one,) = ours.swapped
    assert one.weights == dense.weight.numel()
    assert one.weights_after == sum(p.numel() for name, p in named.named_parameters() if name.endswith("weight"))
    assert one.weights_after / one.weights == pytest.approx(1 / channels + 1 / prod(one.kernel))
    assert one.share == pytest.approx(one.weights_after / one.weights)


def test_each_layer_is_told_with_its_place_in_the_config(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(CONFIG)
    config = read_config(file)
    assert isinstance(config.model, list)
    model = build(config.model, (3, 16, 16), classes=10)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = depthwise_separable(model)
    places = [(one.layer, one.place.removeprefix(f"{file}:").split(" ")[0].rpartition(":")[0]) for one in found.swapped]
    assert places == [
        ("conv1", "9"),
        ("stage1.conv_bn_act1.conv", "6"),
        ("stage1.residual1.body.conv_bn_act1.conv", "7"),
    ]
    assert found.swapped[1].place.endswith("(in block 'stage', used on line 10)")
    assert [(one.layer, one.why) for one in found.kept] == [
        ("stage1.residual1.shortcut.conv1", "1 × 1: pointwise already"),
        ("depthwise1", "depthwise already"),
    ]
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert found.model(torch.zeros(2, 3, 16, 16)).shape == (2, 10)


class Twice(nn.Module):
    """A convolution that is used in two places, and three that are more than one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.again = nn.Conv2d(4, 4, 3, padding=1)
        self.scaled = StandardizedConv2d(4, 4, 3, padding=1)
        self.normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3, padding=1))
        self.up = nn.ConvTranspose2d(4, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.normed(self.scaled(self.again(self.first(x)))))


def test_what_is_shared_stays_shared_and_what_is_more_stays() -> None:
    found = depthwise_separable(Twice())
    assert [one.layer for one in found.swapped] == ["first"]
    assert found.model.first is found.model.again
    assert {one.layer: one.why.split(",")[0] for one in found.kept} == {
        "scaled": "a StandardizedConv2d",
        "normed": "a ParametrizedConv2d",
        "up": "a ConvTranspose2d",
    }
    assert found.model(torch.zeros(1, 4, 6, 6)).shape == (1, 4, 8, 8)


def test_there_has_to_be_something_to_exchange() -> None:
    with pytest.raises(RequestError, match=r"no dense convolution to separate: 0 is 1 × 1: pointwise already"):
        depthwise_separable(nn.Sequential(nn.Conv2d(3, 4, 1)))
