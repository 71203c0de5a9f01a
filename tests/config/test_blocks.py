"""`blocks:` of a config; the oracle is the same network written out by hand."""

from pathlib import Path

import pytest
import torch

from cnnlab.config.config import Config, check_config
from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.yaml import parse
from cnnlab.models.build import build

BLOCKS = """\
blocks:
  bottleneck:
    arguments: {width: , stride: 1, act: relu, norms: [batch_norm]}
    layers:
      - residual:
          layers:
            - conv_bn_act: {channels: $width, kernel: 1, activation: $act}
            - conv: {channels: ($width + 4) // 2 * 2, stride: $stride, padding: [1, $stride - $stride + 1]}
            - residual: {layers: $norms}
  tail: {arguments: {width: }, layers: [conv: {channels: $width}, relu]}
  stage:
    arguments: {width: , count: 2, stride: 2}
    layers:
      - bottleneck: {width: $width, stride: $stride}
      - repeat: {times: $count - 1, layers: [bottleneck: {width: $width, act: {leaky_relu: {slope: $width / 16}}}]}
"""
USES = """\
model:
  - conv: {channels: 4}
  - stage: {width: 8, stride: 1}
  - bottleneck: {width: 4, stride: 2, norms: [tail: {width: 8}, batch_norm]}
  - global_avg_pool
  - linear
"""
BY_HAND = """\
model:
  - conv: {channels: 4}
  - residual:
      layers: [conv_bn_act: {channels: 8, kernel: 1}, conv: {channels: 12}, residual: {layers: [batch_norm]}]
  - residual:
      layers:
        - conv_bn_act: {channels: 8, kernel: 1, activation: {leaky_relu: {slope: 0.5}}}
        - conv: {channels: 12}
        - residual: {layers: [batch_norm]}
  - residual:
      layers:
        - conv_bn_act: {channels: 4, kernel: 1}
        - conv: {channels: 8, stride: 2}
        - residual: {layers: [conv: {channels: 8}, relu, batch_norm]}
  - global_avg_pool
  - linear
"""


def config_of(text: str, *overrides: str) -> Config:
    return check_config(parse(text, "c.yaml"), overrides, default_name="c", base=Path("."))


def network_of(text: str, *overrides: str) -> torch.nn.Module:
    torch.manual_seed(0)
    model = config_of(text, *overrides).model
    assert isinstance(model, list)
    return build(model, (3, 16, 16), classes=10)


def complaints(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config_of(text, *overrides)
    return str(caught.value).split("\n")


def test_a_network_of_blocks_is_the_network_written_out() -> None:
    ours, theirs = network_of(BLOCKS + USES), network_of(BY_HAND)
    assert [tensor.tolist() for tensor in ours.state_dict().values()] == [
        tensor.tolist() for tensor in theirs.state_dict().values()
    ]
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(ours(images), theirs(images))


def test_parameters_are_named_by_the_blocks() -> None:
    names = list(network_of(BLOCKS + USES).state_dict())
    assert names[2] == "stage1.bottleneck1.body.conv_bn_act1.conv.weight"
    assert "stage1.repeat1.round1.bottleneck1.body.conv1.weight" in names
    assert "bottleneck1.body.conv1.weight" in names


def test_a_resolved_config_says_its_layers_in_full_and_reads_back() -> None:
    config = config_of(BLOCKS + USES)
    shown = config.as_yaml()
    assert "blocks" not in config.as_data()
    assert "$" not in shown
    assert config_of(shown) == config
    assert config_of(shown).as_yaml() == shown


@pytest.mark.parametrize(
    ("override", "parameter", "shape"),
    [
        ("model.1.stage.width=16", "stage1.bottleneck1.body.conv_bn_act1.conv.weight", (16, 4, 1, 1)),
        ("model.1.width=16", "stage1.bottleneck1.body.conv_bn_act1.conv.weight", (16, 4, 1, 1)),
        ("model.1.stage.count=3", "stage1.repeat1.round2.bottleneck1.body.conv_bn_act1.conv.weight", (8, 12, 1, 1)),
        (
            "blocks.bottleneck.layers.0.residual.layers.0.conv_bn_act.kernel=3",
            "stage1.bottleneck1.body.conv_bn_act1.conv.weight",
            (8, 4, 3, 3),
        ),
    ],
)
def test_an_override_reaches_uses_and_definitions(override: str, parameter: str, shape: tuple[int, ...]) -> None:
    assert network_of(BLOCKS + USES, override).state_dict()[parameter].shape == shape


def test_an_override_of_a_default() -> None:
    (layer,) = [
        one for one in config_of(BLOCKS + USES, "blocks.bottleneck.arguments.act=silu").model if one.name == "block"
    ][1:]  # type: ignore[union-attr]
    assert layer.options["layers"][0].options["layers"][0].options["activation"].name == "silu"


MODEL = "model:\n  - b: {width: 2}\n  - global_avg_pool\n  - linear\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("blocks: {conv: {layers: [relu]}}", "c.yaml:1:10: 'conv' is a layer already; give the block another name"),
        (
            "blocks: {B-1: {layers: [relu]}}",
            "c.yaml:1:10: 'B-1' is no name for a block: expected small letters, digits ",
        ),
        ("blocks: {b: {}}", "c.yaml:1:10: 'blocks.b' needs 'layers'"),
        ("blocks: {b: {layers: [relu], argumets: 1}}", "c.yaml:1:30: no option 'argumets' in 'blocks.b'; it has "),
        ("blocks: {b: {arguments: {1w: 2}, layers: [relu]}}", "c.yaml:1:26: '1w' cannot name an argument: "),
        (
            "blocks: {b: {arguments: {width: 2}, layers: [conv: {channels: $widht}]}}",
            "c.yaml:1:63: no argument 'widht' of block 'b'; it has width. Did you mean 'width'?",
        ),
        (
            "blocks: {b: {arguments: {width: 2}, layers: [conv: {channels: $width ** 2}]}}",
            "c.yaml:1:63: '$width ** 2' is no arithmetic; expected numbers, $arguments, + - * / // and parentheses",
        ),
        (
            "blocks: {b: {arguments: {width: 2}, layers: [conv: {channels: $width // 4}]}}",
            "c.yaml:1:53: 'channels': a whole number above 0 or 'classes' (as many as there are classes) is expected, "
            "not '0' (in block 'b', used on line 3)",
        ),
        (
            "blocks: {b: {arguments: {width: 2, act: relu}, layers: [conv: {channels: $act * 2}]}}",
            "c.yaml:1:74: '$act * 2' calculates with 'act', which is 'relu', expected a number",
        ),
        (
            "blocks: {b: {arguments: {depth: 2}, layers: [relu]}}",
            "c.yaml:3:9: no argument 'width' of block 'b'; it has depth. Did you mean 'width'?".partition(" Did")[0],
        ),
        ("blocks: {b: {arguments: {width: , depth: }, layers: [relu]}}", "c.yaml:3:5: block 'b' needs 'depth'"),
        (
            "blocks: {b: {arguments: {width: }, layers: [c]}, c: {layers: [b: {width: 1}]}}",
            "c.yaml:1:63: block 'b' stands in itself: b → c → b (in block 'c', used on line 1",
        ),
        ("blocks: {bb: {layers: [relu]}}", "c.yaml:3:5: no layer 'b'; known: avg_pool, batch_norm, bb, block, "),
        ("blocks: [b]", "c.yaml:1:1: 'blocks' is a list of 1, expected a mapping"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    assert [line for line in complaints(f"{text}\n{MODEL}") if line.startswith(said)]


def test_a_fault_in_a_block_is_told_once() -> None:
    text = "blocks: {b: {arguments: {width: }, layers: [conv: {channels: $width, colour: red}]}}\n"
    (said,) = complaints(text + MODEL.replace("model:\n", "model:\n  - b: {width: 1}\n"))
    assert said.startswith("c.yaml:1:70: no option 'colour' in layer 'conv'; it has channels, ")
    assert said.endswith("(in block 'b', used on line 3)")


def test_a_layer_of_a_block_that_does_not_fit_is_told_with_its_use() -> None:
    text = (
        "blocks: {b: {arguments: {width: }, layers: [conv: {channels: 2, kernel: $width * 9, padding: 0}]}}\n" + MODEL
    )
    with pytest.raises(
        RequestError, match=r"c.yaml:1:45: layer 'conv' \(in 'b'\) does not fit: .*\(in block 'b', used on line 3\)"
    ):
        network_of(text)


def test_blocks_that_grow_beyond_all_bounds_end_in_one_sentence() -> None:
    grown = "".join(f"  b{i}: {{layers: [b{i - 1}, b{i - 1}, b{i - 1}]}}\n" for i in range(1, 12))
    (said,) = complaints(f"blocks:\n  b0: {{layers: [relu]}}\n{grown}model: [b11, global_avg_pool, linear]\n")
    assert said.endswith("the blocks of the model come to more than 50,000 values") or "(in block" in said
    nested = "".join(f"  b{i}: {{layers: [b{i - 1}]}}\n" for i in range(1, 200))
    (said,) = complaints(f"blocks:\n  b0: {{layers: [relu]}}\n{nested}model: [b199, global_avg_pool, linear]\n")
    assert "is the 13th in another; 12 can be read" in said
    deep = "".join(f"  b{i}: {{layers: [repeat: {{times: 1, layers: [b{i - 1}]}}]}}\n" for i in range(1, 11))
    (said,) = complaints(f"blocks:\n  b0: {{layers: [relu]}}\n{deep}model: [b10, global_avg_pool, linear]\n")
    assert said.startswith("c.yaml:1:1: spelled out, the config is nested ")


def test_blocks_of_one_config_are_unknown_to_the_next() -> None:
    config_of(BLOCKS + USES)
    assert "no layer 'stage'" in complaints(USES)[0]
