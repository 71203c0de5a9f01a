import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import Tensor, nn

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.registry import Component, component
from cnnlab.core.yaml import load, parse
from cnnlab.models.build import Model, build, output_shape, parameter_count, sequence
from cnnlab.models.layers.activation import relu
from cnnlab.models.registry import LAYERS, Layer

CIFAR = Path(__file__).parents[2] / "configs" / "cifar.yaml"


def layers_of(text: str) -> list[Component]:
    return TypeAdapter(list[Layer]).validate_python(parse(text, "x.yaml")["model"])


def model_of(*lines: str, shape: tuple[int, int, int] = (3, 32, 32), classes: int = 10) -> Model:
    return build(layers_of("\n".join(["model:", *[f"  - {line}" for line in lines]])), shape, classes=classes)


def small_cnn() -> Model:
    return build(TypeAdapter(list[Layer]).validate_python(load(CIFAR)["model"]), (3, 32, 32), classes=10)


def test_small_cnn_is_the_chapters() -> None:
    """Section 19.5, fragment 2: 288,746 parameters, of which 286,560 convolution, 896 batch norm, 1,290 head."""
    model = small_cnn()
    assert parameter_count(model) == 288_746
    kinds = {nn.Conv2d: 286_560, nn.BatchNorm2d: 896, nn.Linear: 1_290}
    for kind, count in kinds.items():
        assert sum(parameter_count(m) for m in model.modules() if isinstance(m, kind)) == count
    stages = [output_shape(model[:end], (3, 32, 32)) for end in (2, 4, 6, 7, 8)]
    assert stages == [(32, 16, 16), (64, 8, 8), (128, 4, 4), (128,), (10,)]


def test_small_cnn_without_norm_gets_its_bias_back() -> None:
    """Exercise 19.5.2: 288,298 parameters without batch norm, with bias; 287,850 without both."""
    text = CIFAR.read_text().replace("{channels: ", "{norm: none, channels: ")
    without = build(TypeAdapter(list[Layer]).validate_python(parse(text, "x")["model"]), (3, 32, 32), classes=10)
    assert parameter_count(without) == 288_298
    text = text.replace("norm: none,", "norm: none, bias: false,")
    neither = build(TypeAdapter(list[Layer]).validate_python(parse(text, "x")["model"]), (3, 32, 32), classes=10)
    assert parameter_count(neither) == 287_850


def test_fragment_2_of_section_19_2_has_6144_parameters() -> None:
    """The chapter prints 6,432; 448 + 4,640 + 1,056 is 6,144."""
    convs = [
        "conv: {channels: 16}",
        "relu",
        "conv: {channels: 32, stride: 2}",
        "relu",
        "conv: {channels: 32, kernel: 1}",
    ]
    text = "model:\n" + "\n".join(f"  - {conv}" for conv in convs)
    network, output = sequence(layers_of(text), (3, 64, 64), classes=10)
    assert parameter_count(network) == 6_144
    assert output == (32, 32, 32)
    assert network(torch.zeros(4, 3, 64, 64)).shape == (4, 32, 32, 32)


def test_sixteen_unpadded_convolutions_use_a_32_pixel_image_up() -> None:
    fifteen = ["conv: {channels: 1, padding: 0}"] * 15
    _, output = sequence(layers_of("model:\n" + "\n".join(f"  - {c}" for c in fifteen)), (1, 32, 32), classes=10)
    assert output == (1, 2, 2)
    with pytest.raises(RequestError, match=re.escape("floor((2 + 2·0 − 1·(3−1) − 1)/1) + 1 = 0; padding: 1 would fit")):
        model_of(*fifteen, fifteen[0], shape=(1, 32, 32))


def test_names_are_kind_and_count() -> None:
    model = model_of(
        "conv: {channels: 4}", "relu", "conv: {channels: 4}", "relu", "conv_bn_act: {channels: 4}",
        "residual: {layers: [conv: {channels: 8}]}", "repeat: {times: 2, layers: [relu]}",
        "parallel: {branches: [[relu], []]}", "global_avg_pool", "linear",
    )  # fmt: skip
    assert [name for name, _ in model.named_children()] == [
        "conv1", "relu1", "conv2", "relu2", "conv_bn_act1", "residual1", "repeat1", "parallel1", "global_avg_pool1",
        "linear1",
    ]  # fmt: skip
    names = {name for name, _ in model.named_modules()}
    assert {"conv_bn_act1.conv", "conv_bn_act1.norm", "conv_bn_act1.activation"} <= names
    assert {"residual1.body.conv1", "residual1.shortcut.conv1", "residual1.shortcut.batch_norm1"} <= names
    assert {"repeat1.round2.relu1", "parallel1.branch1.relu1", "parallel1.branch2"} <= names


def test_model_knows_its_input_and_its_slices_are_plain() -> None:
    model = model_of("conv: {channels: 4}", "global_avg_pool", "linear")
    assert (model.input_shape, model.classes) == ((3, 32, 32), 10)
    assert type(model[:2]) is nn.Sequential
    assert isinstance(model[0], nn.Conv2d)
    assert isinstance(model[-1], nn.Linear)


@settings(deadline=None, max_examples=10)
@given(height=st.integers(8, 40), width=st.integers(8, 40), n=st.integers(1, 3))
def test_a_model_with_global_pooling_takes_any_image_size(height: int, width: int, n: int) -> None:
    model = small_cnn().eval()
    assert model(torch.zeros(n, 3, height, width)).shape == (n, 10)


def test_building_leaves_batch_statistics_and_modes_alone() -> None:
    model = small_cnn()
    assert all(module.training for module in model.modules())
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(int(n.num_batches_tracked) == 0 and bool((n.running_mean == 0).all()) for n in norms)
    assert all(p.device.type == "cpu" for p in model.parameters())


def test_no_activation_works_in_place() -> None:
    for entry in LAYERS:
        if entry.factory.__module__ == relu.__module__:
            module = sequence([component("layer", entry.name)], (3, 4, 4), classes=2)[0][0]
            x = torch.randn(2, 3, 4, 4)
            before = x.clone()
            module(x)
            assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["conv: {channels: 8, kernel: 5, padding: 0}"] * 9,
            "x.yaml:9:5: layer 'conv' (8th of the model) does not fit: the height of its input, 4, is too small for a "
            "kernel of 5: floor((4 + 2·0 − 1·(5−1) − 1)/1) + 1 = 0; padding: 1 would fit",
        ),
        (
            ["conv: {channels: 8, groups: 2}"],
            "x.yaml:2:5: layer 'conv' (1st of the model) does not fit: groups: 2 does not divide its 3 input "
            "channels; these do: 1",
        ),
        (
            ["conv: {channels: 8, groups: 3}"],
            "x.yaml:2:5: layer 'conv' (1st of the model) does not fit: groups: 3 does not divide its 8 output "
            "channels; these do: 1",
        ),
        (
            ["conv: {channels: 8, kernel: 4}"],
            "x.yaml:2:5: layer 'conv' (1st of the model) does not fit: padding: same is dilation·(kernel − 1)/2 = "
            "1·(4−1)/2, no whole number for the even kernel 4; take an odd kernel, or give a number (padding: 0 where "
            "the windows lie side by side)",
        ),
        (
            ["conv: {channels: 8, kernel: 65, padding_mode: reflect}"],
            "x.yaml:2:5: layer 'conv' (1st of the model) does not fit: reflect padding of 32 needs a height of at "
            "least 33, its input has 32; 'padding_mode: zero' and 'padding_mode: replicate' have no such limit",
        ),
        (
            ["conv: {channels: 8}", "linear"],
            "x.yaml:3:5: layer 'linear' (2nd of the model) does not fit: it needs a flat input, its input is "
            "(8, 32, 32); put 'global_avg_pool' (8 features) or 'flatten' (8192 features) before it",
        ),
        (
            ["global_avg_pool", "conv: {channels: 8}", "linear"],
            "x.yaml:3:5: layer 'conv' (2nd of the model) does not fit: it needs (channels, height, width), its input "
            "is (3,); put it before the layer that makes the input flat (such as flatten or global_avg_pool)",
        ),
        (
            ["conv: {channels: 48}", "group_norm"],
            "x.yaml:3:5: layer 'group_norm' (2nd of the model) does not fit: groups: 32 does not divide its 48 input "
            "channels; these do: 1, 2, 3, 4, 6, 8, 12, 16, 24, 48",
        ),
        (
            ["max_pool: {kernel: 64}"],
            "x.yaml:2:5: layer 'max_pool' (1st of the model) does not fit: the height of its input, 32, is too small "
            "for a kernel of 64: floor((32 + 2·0 − 1·(64−1) − 1)/64) + 1 = 0; padding: 16 would fit",
        ),
        (
            ["avg_pool: {padding: 2}"],
            "x.yaml:2:5: layer 'avg_pool' (1st of the model) does not fit: padding: 2 is more than half of its "
            "kernel of 2, so that a window could hold nothing but padding; at most 1 fits",
        ),
        (
            ["max_pool: {kernel: 32}", "instance_norm"],
            "x.yaml:3:5: layer 'instance_norm' (2nd of the model) does not fit: a channel of its 1×1 input is a "
            "single value, and a value minus its own mean is always 0; use 'none' here",
        ),
        (
            ["squeeze_excite"],
            "x.yaml:2:5: layer 'squeeze_excite' (1st of the model) does not fit: ratio: 16 leaves no hidden unit for "
            "its 3 input channels; at most 3 fits",
        ),
        (
            ["residual: {layers: [relu, conv: {channels: 8, padding: 0}]}"],
            "x.yaml:2:5: layer 'residual' (1st of the model) does not fit: its layers turn (3, 32, 32) into "
            "(8, 30, 30), and no stride of a 1×1 shortcut makes 30 of 32: floor((32 − 1)/stride) + 1; pad its layers "
            "(padding: same) or write a 'shortcut' list",
        ),
        (
            ["residual: {layers: [conv: {channels: 8}], shortcut: [conv: {channels: 9}]}"],
            "x.yaml:2:5: layer 'residual' (1st of the model) does not fit: its layers turn (3, 32, 32) into "
            "(8, 32, 32), its shortcut into (9, 32, 32); the sum needs equal shapes",
        ),
        (
            ["residual: {layers: [flatten]}"],
            "x.yaml:2:5: layer 'residual' (1st of the model) does not fit: its layers turn (3, 32, 32) into (3072,), "
            "and the sum needs as many axes as its input has",
        ),
        (
            ["parallel: {branches: [[], [max_pool]]}"],
            "x.yaml:2:5: layer 'parallel' (1st of the model) does not fit: join: concat needs equal heights and "
            "widths, its 2 branches turn (3, 32, 32) into (3, 32, 32), (3, 16, 16)",
        ),
        (
            ["parallel: {join: add, branches: [[], [conv: {channels: 4}]]}"],
            "x.yaml:2:5: layer 'parallel' (1st of the model) does not fit: join: add needs equal shapes, its 2 "
            "branches turn (3, 32, 32) into (3, 32, 32), (4, 32, 32)",
        ),
        (
            ["residual: {layers: [relu, group_norm: {groups: 2}]}"],
            "x.yaml:2:31: layer 'group_norm' (2nd of 'residual') does not fit: groups: 2 does not divide its 3 input "
            "channels; these do: 1, 3",
        ),
        (
            ["conv_bn_act: {channels: 6, norm: {group_norm: {groups: 4}}}"],
            "x.yaml:2:39: layer 'group_norm' (in 'conv_bn_act') does not fit: groups: 4 does not divide its 6 input "
            "channels; these do: 1, 2, 3, 6",
        ),
        (
            ["conv: {channels: 128}"],
            "x.yaml:2:5: the model ends with 'conv', whose output is (128, 32, 32); 10 classes need (10,): add "
            "'global_avg_pool' and 'linear' at the end",
        ),
        (
            ["global_avg_pool", "relu"],
            "x.yaml:3:5: the model ends with 'relu', whose output is (3,); 10 classes need (10,): add 'linear' at "
            "the end",
        ),
        (
            ["global_avg_pool", "linear: {features: 7}"],
            "x.yaml:3:5: the model ends with 'linear', whose output is (7,); 10 classes need (10,): leave out its "
            "'features'",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error_with_its_place(lines: list[str], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        model_of(*lines)
    assert str(caught.value) == message


def test_without_yaml_the_error_has_no_place() -> None:
    with pytest.raises(RequestError, match=r"^layer 'linear' \(1st of the model\) does not fit: "):
        build([component("layer", "linear")], (3, 8, 8), classes=2)
    with pytest.raises(RequestError, match="the model has no layers; the least is global_avg_pool and linear"):
        build([], (3, 8, 8), classes=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv: {channels: 8, padding: wide}",
         "x.yaml:2:25: 'padding': 'same', a number of pixels, or two ([vertical, horizontal]) are expected, not "
         "'wide'"),
        ("conv: {channels: 8, padding: -1}",
         "x.yaml:2:25: 'padding': 'same', a number of pixels, or two ([vertical, horizontal]) are expected, not '-1'"),
        ("linear: {features: 0}",
         "x.yaml:2:14: 'features': a whole number above 0 or 'classes' (as many as there are classes) is expected, "
         "not '0'"),
        ("blur_pool: {kernel: 4}", "x.yaml:2:17: 'kernel' is 4, expected an odd number"),
        ("residual: {layers: []}", "x.yaml:2:16: 'layers' is a list of 0, expected at least 1 of them"),
    ],
)  # fmt: skip
def test_wrong_options_are_errors_with_their_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        layers_of(f"model:\n  - {text}")
    assert str(caught.value) == message


class Wrong(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images @ torch.zeros(3, 3)


class LosesTheBatch(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean(0)


class LooksAtValues(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = torch.ones(3, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        return images * self.table if images.max().item() < 9 else images


def _wrong() -> nn.Module:
    return Wrong()


def _loses_the_batch() -> nn.Module:
    return LosesTheBatch()


def _looks_at_values() -> nn.Module:
    return LooksAtValues()


def _is_no_module() -> Any:
    return 3


def _misspells() -> nn.Module:
    return nn.Idenntity()


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (_wrong, r"RuntimeError: .* \(.*test_build.py:\d+\)"),
        (_loses_the_batch, r"ValueError: its output for 2 inputs is \(3, 4, 4\), expected \(2, …\)"),
        (_is_no_module, "TypeError: it made int, expected a torch.nn.Module"),
        (_misspells, r"AttributeError: module 'torch.nn' has no attribute 'Idenntity' \(.*test_build.py:\d+\)"),
    ],
)
def test_a_users_layer_that_fails_is_an_error_with_its_place(factory: Any, message: str) -> None:
    LAYERS.register("mine")(factory)
    try:
        with pytest.raises(RequestError) as caught:
            model_of("mine", "global_avg_pool", "linear", shape=(3, 4, 4))
    finally:
        LAYERS.forget("mine")
    start = r"x\.yaml:2:5: layer 'mine' \(1st of the model\) fails on an input of shape \(3, 4, 4\): "
    assert re.fullmatch(start + message, str(caught.value)), str(caught.value)


def test_a_layer_that_looks_at_values_is_tried_for_real() -> None:
    LAYERS.register("mine")(_looks_at_values)
    try:
        model = model_of("mine", "global_avg_pool", "linear", shape=(3, 4, 4))
    finally:
        LAYERS.forget("mine")
    assert model(torch.zeros(2, 3, 4, 4)).shape == (2, 10)


def test_a_users_shared_layer_stands_in_every_place() -> None:
    shared = nn.Conv2d(3, 3, 1)

    def _shared() -> nn.Module:
        return shared

    LAYERS.register("mine")(_shared)
    try:
        model = model_of("mine", "mine", "global_avg_pool", "linear", shape=(3, 4, 4))
    finally:
        LAYERS.forget("mine")
    assert list(model._modules) == ["mine1", "mine2", "global_avg_pool1", "linear1"]
    assert parameter_count(model) == 12 + 40


def test_a_shared_parameter_counts_once() -> None:
    linear = nn.Linear(3, 3)
    assert parameter_count(nn.Sequential(linear, linear)) == 12
