"""Twins with other norms: counts of parameters, biases, and what stays."""

from pathlib import Path

import pytest
import torch
from torch import nn

from cnnlab.config.config import Config, read_config
from cnnlab.config.norms import NONE, norms_of, with_norm
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.network.fresh import new_network
from cnnlab.probe.norm.layers import fitting_groups, norm_layers
from cnnlab.probe.norm.twins import with_group_norms

ROOT = Path(__file__).parents[3]


def parameters(config: Config) -> int:
    return sum(one.numel() for one in new_network(config, (3, 32, 32), 10).parameters())


def test_the_chapters_network_has_a_bias_where_a_norm_was() -> None:
    """288,746 less 896 of γ and β, and 448 biases more."""
    config = read_config(ROOT / "configs/cifar.yaml")
    assert parameters(config) == 288_746
    assert parameters(with_norm(config, NONE)) == 288_298
    assert parameters(with_norm(config, component("layer", "group_norm"))) == 288_746


def test_norms_inside_other_layers_and_behind_plain_ones_are_turned(tmp_path: Path) -> None:
    path = tmp_path / "nested.yaml"
    path.write_text(
        "model:\n"
        "  - conv: {channels: 8, bias: false}\n"
        "  - batch_norm\n"
        "  - residual:\n"
        "      layers:\n"
        "        - conv_bn_act: {channels: 16, stride: 2, bias: false}\n"
        "        - repeat: {times: 2, layers: [layer_norm]}\n"
        "  - dyt\n"
        "  - global_avg_pool\n"
        "  - linear\n"
    )
    config = read_config(path)
    assert [one.name for one in norms_of(config)] == ["batch_norm", "batch_norm", "layer_norm", "batch_norm"]
    bare = with_norm(config, NONE)
    assert norms_of(bare) == ()
    network = new_network(bare, (3, 32, 32), 10)
    assert norm_layers(network) == ()
    biased = [module.bias is not None for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert biased == [True, True, False]  # the shortcut's projection has none in either
    grouped = new_network(with_norm(config, component("layer", "group_norm", groups=4)), (3, 32, 32), 10)
    assert {one.kind for one in norm_layers(grouped)} == {"group norm"}


def test_a_batch_norm_of_32_channels_becomes_an_instance_norm_by_32_groups() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 48, 3), nn.BatchNorm2d(48))
    nn.init.normal_(model[1].weight)
    twin, changed = with_group_norms(model, 32)
    assert changed == (("1", 32, 32), ("4", 48, 16))
    assert [one.kind for one in norm_layers(twin)] == ["instance norm", "group norm"]
    given = torch.randn(2, 32, 5, 5)
    expected = nn.functional.instance_norm(given, weight=model[1].weight, bias=model[1].bias)
    assert torch.allclose(twin.get_submodule("1")(given), expected, atol=1e-5)
    assert [one.kind for one in norm_layers(model)] == ["batch norm", "batch norm"]


def test_a_network_without_batch_norms_cannot_be_turned() -> None:
    with pytest.raises(RequestError, match="no batch norm"):
        with_group_norms(nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)), 32)


def test_groups_divide_every_layers_channels() -> None:
    assert fitting_groups([32, 64, 128]) == 32
    assert fitting_groups([8, 48, 64]) == 8
    assert fitting_groups([24, 36], 9) == 3
