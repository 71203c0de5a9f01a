"""Every layer of the registry, with a small choice of options, and the networks of the configs, against rows of NaN."""

from pathlib import Path

import pytest
from walk.zoo import prove

import cnnlab
from cnnlab.config.config import check_config, read_config
from cnnlab.core.yaml import parse
from cnnlab.models.catalog import LAYERS
from cnnlab.network.fresh import new_network

ROOT = Path(cnnlab.__file__).parent.parent

LAYERS_IN_YAML: dict[str, list[str]] = {
    "avg_pool": ["avg_pool", "avg_pool: {kernel: 3, stride: 2, padding: 1, count_include_pad: false}"],
    "batch_norm": ["batch_norm"],
    "block": ["block: {name: named, layers: [{conv: {channels: 4}}, relu]}"],
    "blur_pool": ["blur_pool", "blur_pool: {kernel: 5, stride: 3}"],
    "channel_layer_norm": ["channel_layer_norm"],
    "channel_shuffle": ["channel_shuffle", "channel_shuffle: {groups: 4}"],
    "conv": [
        "conv: {channels: 4}",
        "conv: {channels: 4, kernel: 5, stride: 2, padding: 1, dilation: 2, groups: 2}",
        "conv: {channels: 4, padding_mode: reflect, kernel: 5}",
        "conv: {channels: 4, padding_mode: circular, stride: 2}",
        "conv: {channels: 4, padding_mode: replicate, weight_standardization: true}",
    ],
    "conv_bn_act": [
        "conv_bn_act: {channels: 4, stride: 2}",
        "conv_bn_act: {channels: 4, order: norm act conv, activation: gelu}",
    ],
    "depthwise": ["depthwise: {multiplier: 2, kernel: 5, dilation: 2}"],
    "depthwise_separable": ["depthwise_separable: {channels: 6, stride: 2}"],
    "dropout": ["dropout", "dropout: {unit: channel}"],
    "dyt": ["dyt"],
    "flatten": ["flatten"],
    "gelu": ["gelu", "gelu: {approximate: tanh}"],
    "global_avg_pool": ["global_avg_pool"],
    "global_max_pool": ["global_max_pool"],
    "group_norm": ["group_norm: {groups: 2}"],
    "hardsigmoid": ["hardsigmoid"],
    "hardswish": ["hardswish"],
    "instance_norm": ["instance_norm", "instance_norm: {affine: true}"],
    "layer_norm": ["layer_norm"],
    "layer_scale": ["layer_scale: {start: 1}", "layer_scale: {start: 1, each: layer}"],
    "leaky_relu": ["leaky_relu"],
    "linear": ["flatten\\n  - linear"],
    "locally_connected": [
        "locally_connected: {channels: 3}",
        "locally_connected: {channels: 3, stride: 2, padding: 0}",
    ],
    "max_pool": ["max_pool", "max_pool: {kernel: 3, stride: 2, padding: 1}"],
    "multiply": ["multiply: {factor: 0.5}"],
    "none": ["none"],
    "parallel": [
        "parallel: {branches: [[{conv: {channels: 2}}], [{conv: {channels: 3, kernel: 5}}]]}",
        "parallel: {branches: [[none], [{conv: {channels: 4, dilation: 2}}]], join: add}",
    ],
    "permute_pixels": ["permute_pixels", "permute_pixels: {seed: 1}"],
    "relu": ["relu"],
    "relu6": ["relu6"],
    "repeat": ["repeat: {times: 3, layers: [{conv: {channels: 4}}, relu]}"],
    "residual": [
        "residual: {layers: [{conv: {channels: 4}}, relu, {conv: {channels: 4}}]}",
        "residual: {layers: [{conv: {channels: 6, stride: 2}}]}",
    ],
    "sigmoid": ["sigmoid"],
    "silu": ["silu"],
    "split": ["split: {branches: [[], [{conv: {channels: 3, kernel: 5}}]]}"],
    "squeeze_excite": [
        "squeeze_excite: {ratio: 2}",
        "squeeze_excite: {ratio: 2, multiple: 8, activation: silu, gate: hardsigmoid}",
    ],
    "stochastic_depth": ["stochastic_depth"],
    "tanh": ["tanh"],
    "whitening": ["whitening"],
}


def test_every_layer_of_the_registry_is_here() -> None:
    assert sorted(LAYERS_IN_YAML) == sorted(entry.name for entry in LAYERS)


NUMBERED = [
    pytest.param(text, id=f"{name}-{number}")
    for name, texts in LAYERS_IN_YAML.items()
    for number, text in enumerate(texts)
]


@pytest.mark.parametrize("layer", NUMBERED)
def test_layers(layer: str) -> None:
    before = "conv: {channels: 4}"
    flat = layer.startswith(("flatten", "global"))
    after = "linear" if flat else "global_avg_pool\n  - linear"
    text = f"model:\n  - {before}\n  - {layer}\n  - {after}\n".replace("\\n", "\n")
    if layer.endswith("linear"):
        text = f"model:\n  - {before}\n  - flatten\n  - linear\n"
    tree = parse(text, "test.yaml")
    config = check_config(tree, ["data.dataset=shapes"], default_name="x", base=Path())
    prove(new_network(config, (3, 14, 11), 5), (3, 14, 11))


@pytest.mark.parametrize("path", ["cnnlab/config/quickstart.yaml", "configs/cifar.yaml"])
def test_configs(path: str) -> None:
    config = read_config(ROOT / path)
    proof = prove(new_network(config, (3, 32, 32), 10), (3, 32, 32))
    assert proof.verification.compared > 100_000
