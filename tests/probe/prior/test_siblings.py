"""What a convolution can do, its locally connected sibling can, and what that can, the dense one."""

from pathlib import Path

import pytest
import torch
from torch import nn

from cnnlab.config.config import Config, check_config
from cnnlab.core.errors import RequestError
from cnnlab.core.yaml import parse
from cnnlab.models.build import parameter_count
from cnnlab.models.layers.convolution import LocallyConnected2d
from cnnlab.network.fresh import new_network
from cnnlab.probe.prior.siblings import kinds_of, permuted, sibling

SHAPE = (3, 9, 7)
LAYERS = """
  - conv_bn_act: {channels: 4, stride: 2, kernel: 5}
  - conv: {channels: 5, padding: 0}
  - leaky_relu
  - conv_bn_act: {channels: 6, order: act conv norm, norm: dyt}
  - max_pool: {kernel: 2, stride: 1}
  - global_avg_pool
  - linear
"""


def config(layers: str = LAYERS) -> Config:
    text = f"name: net\ndata: {{dataset: shapes}}\nmodel:{layers}"
    return check_config(parse(text, "net.yaml"), (), default_name="net", base=Path())


def with_weights_of(local: nn.Module, shared: nn.Module) -> None:
    """Give each place of the locally connected layers the weights of the convolutions, and all else its own."""
    unshared = iter(one for one in local.modules() if isinstance(one, LocallyConnected2d))
    others = [one for one in local.modules() if not list(one.children()) and not isinstance(one, LocallyConnected2d)]
    twins = [one for one in shared.modules() if not list(one.children()) and not isinstance(one, nn.Conv2d)]
    for conv in shared.modules():
        if isinstance(conv, nn.Conv2d):
            layer = next(unshared)
            layer.weight.data.copy_(conv.weight.expand_as(layer.weight))
            assert (layer.bias is None) == (conv.bias is None)
            if layer.bias is not None and conv.bias is not None:
                layer.bias.data.copy_(conv.bias[:, None, None].expand_as(layer.bias))
    for one, twin in zip(others, twins, strict=True):
        one.load_state_dict(twin.state_dict())


def test_a_convolution_is_its_locally_connected_sibling_with_the_same_weights_everywhere() -> None:
    shared = new_network(config(), SHAPE, 10)
    local = new_network(sibling(config(), "local", width=8), SHAPE, 10)
    with_weights_of(local, shared)
    images = torch.randn(6, *SHAPE)
    for training in (True, False):
        torch.testing.assert_close(local.train(training)(images), shared.train(training)(images))


def test_the_dense_sibling_has_a_layer_for_each_convolution() -> None:
    dense = sibling(config(), "dense", width=2)
    assert [layer.name for layer in dense.model][:4] == ["flatten", "linear", "batch_norm", "relu"]
    network = new_network(dense, SHAPE, 10)
    widths = [(one.in_features, one.out_features) for one in network.modules() if isinstance(one, nn.Linear)]
    assert widths == [(189, 8), (8, 10), (10, 12), (12, 10)]
    norms = 2 * 8 + (1 + 2 * 12)
    biases = 10 + 12 + 10
    assert parameter_count(network) == 189 * 8 + 8 * 10 + 10 * 12 + 12 * 10 + norms + biases


def test_the_convolution_itself_is_one_of_the_kinds() -> None:
    same = sibling(config(), "conv", width=8)
    assert (same.name, same.model) == ("net-conv", config().model)
    assert kinds_of("conv, dense") == ("dense", "conv")


def test_a_permutation_stands_before_all_else_also_where_it_was_there_already() -> None:
    before = permuted(config(), 4)
    assert before.model[0].options == {"seed": 4}
    assert [layer.name for layer in sibling(before, "dense", width=1).model][:3] == [
        "permute_pixels", "flatten", "linear"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("\n  - flatten\n  - linear\n", "net has no convolution that `kinds` could make a sibling of"),
        (
            "\n  - conv: {channels: 3}\n  - residual: {layers: [relu]}\n  - global_avg_pool\n  - linear\n",
            r"net.yaml:5:5: layer 'residual': there is no dense or locally connected sibling",
        ),
        ("\n  - conv: {channels: 3, groups: 3}\n  - global_avg_pool\n  - linear\n", "a convolution has groups: 3"),
        ("\n  - conv: {channels: classes}\n  - global_avg_pool\n", r"net.yaml:4:5: .*; end with `linear`"),
    ],
)
def test_what_has_no_sibling_is_refused(layers: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        sibling(config(layers), "local", width=8)


def test_a_kind_that_is_none_is_named() -> None:
    with pytest.raises(RequestError, match="`kinds` has 'densse', expected some of dense, local, conv"):
        kinds_of("densse,conv")
