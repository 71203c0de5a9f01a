import pytest
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.fit.freezing import Freezing
from cnnlab.fit.parameter_groups import ParameterGroup, learning_parameters


def network() -> nn.Sequential:
    layers = {
        "conv1": nn.Conv2d(1, 2, 3),
        "norm1": nn.BatchNorm2d(2),
        "group_norm1": nn.GroupNorm(1, 2),
        "flatten": nn.Flatten(),
        "linear1": nn.Linear(8, 3),
    }
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


def grouped(*rules: ParameterGroup) -> list[tuple[list[str], float, float]]:
    groups = learning_parameters(network(), rules).groups(lr=0.1, weight_decay=5e-4)
    assert all(len(group["params"]) == len(group["names"]) for group in groups)
    assert all(group["lr"] == group["lr_base"] for group in groups)
    return [(group["names"], pytest.approx(group["lr"]), group["weight_decay"]) for group in groups]


ALL = ["conv1.weight", "conv1.bias", "norm1.weight", "norm1.bias", "group_norm1.weight", "group_norm1.bias"]
ALL += ["linear1.weight", "linear1.bias"]


def test_without_rules_there_is_one_group() -> None:
    assert grouped() == [(ALL, 0.1, 5e-4)]


def test_no_decay_on_norms_and_biases() -> None:
    assert grouped(ParameterGroup(match=["norms", "biases"], weight_decay=0.0)) == [
        (["conv1.weight", "linear1.weight"], 0.1, 5e-4),
        ([name for name in ALL if name not in ("conv1.weight", "linear1.weight")], 0.1, 0.0),
    ]


def test_the_first_rule_that_matches_holds_and_the_rest_comes_first() -> None:
    assert grouped(
        ParameterGroup(match=["conv1.*"], lr_scale=64.0),
        ParameterGroup(match=["*.bias"], lr_scale=2.0, weight_decay=0.0),
    ) == [
        (["norm1.weight", "group_norm1.weight", "linear1.weight"], 0.1, 5e-4),
        (["conv1.weight", "conv1.bias"], 6.4, 5e-4),
        (["norm1.bias", "group_norm1.bias", "linear1.bias"], 0.2, 0),
    ]


def test_frozen_parameters_are_in_no_group() -> None:
    model = network()
    learning = learning_parameters(model, [ParameterGroup(match=["conv1.*", "norms"], frozen=True)])
    assert [group["names"] for group in learning.groups(lr=0.1, weight_decay=0.0)] == [
        ["linear1.weight", "linear1.bias"]
    ]
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {"linear1.weight", "linear1.bias"}


def test_a_group_that_earlier_ones_leave_nothing_is_refused() -> None:
    word = ParameterGroup.model_validate({"match": "norms", "frozen": True})
    rules = [word, ParameterGroup(match=["norm_biases"], lr_scale=64)]
    with pytest.raises(RequestError, match="'norm_biases' has no effect: groups before it match all"):
        learning_parameters(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), rules)
    learning_parameters(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), rules[::-1])


def test_a_group_of_what_is_frozen_elsewhere_is_told() -> None:
    """As a rate for the filters of `whitening`, which keep what they begin with."""
    model = network()
    rules = [
        ParameterGroup(match=["conv1.weight"], lr_scale=2),
        ParameterGroup(match=["conv1.*"], lr_scale=3),
        ParameterGroup(match=["linear1.bias"], frozen=True),
    ]
    freezing = Freezing(model, ["conv1.weight", "linear1.bias"], {}, statistics=False)
    learning = learning_parameters(model, rules, freezing=freezing)
    (remark,) = learning.remarks
    assert remark.startswith("parameter_groups: 'conv1.weight' has no effect")
    later = Freezing(model, ["conv1.weight"], {3: ["conv1.weight"]}, statistics=False)
    assert not learning_parameters(model, rules, freezing=later).remarks


def test_what_is_refused() -> None:
    with pytest.raises(RequestError, match=r"'conv9.\*', 'x' matches no parameter; they are called conv1.weight, "):
        grouped(ParameterGroup(match=["conv9.*", "x"]))
    with pytest.raises(RequestError, match="every parameter is frozen"):
        grouped(ParameterGroup(match=["*"], frozen=True))


def test_the_scales_and_the_shifts_of_norms_have_a_word_each() -> None:
    found = grouped(
        ParameterGroup(match=["norm_weights"], frozen=True), ParameterGroup(match=["norm_biases"], lr_scale=64.0)
    )
    norms = {f"{norm}.{kind}" for norm in ("norm1", "group_norm1") for kind in ("weight", "bias")}
    assert found == [
        ([name for name in ALL if name not in norms], 0.1, 5e-4),
        (["norm1.bias", "group_norm1.bias"], 6.4, 5e-4),
    ]
