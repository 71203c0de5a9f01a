"""Which part of a file is taken, and when a person is asked."""

import pytest
import torch
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.network.weights.choice import chosen
from cnnlab.network.weights.expected import Expected
from cnnlab.network.weights.match import Match
from cnnlab.network.weights.tensors import tensors_of

STATE = nn.Linear(2, 2).state_dict()
OTHER = {name: one + 1 for name, one in STATE.items()}


def _chosen(content: object, key: str | None = None) -> Match:
    return chosen(tensors_of(content), Expected.by(nn.Linear(2, 2)), key)


@pytest.mark.parametrize(
    "key",
    [
        "state_dict", "model", "model_state_dict", "net", "ema", "model_ema", "state_dict_ema", "module", "network",
        "params", "params_ema", "anything",
    ],
)  # fmt: skip
def test_a_dict_of_any_name_is_found(key: str) -> None:
    beside = {"epoch": 3, "best_acc1": torch.tensor(0.7), "optimizer": {"state": {0: {"exp_avg": torch.ones(2, 2)}}}}
    assert _chosen({**beside, key: STATE}).key == key
    assert _chosen({**beside, "outer": {key: STATE, "epoch": 3}}).key == f"outer.{key}"


def test_several_are_asked_about_unless_they_are_the_same() -> None:
    content = {"state_dict": STATE, "ema": {"module": OTHER, "decay": 0.9}}
    message = r"holds the network's weights 2 times: state_dict \(2 tensors\), ema.module \(2 tensors\); choose by"
    with pytest.raises(RequestError, match=f"{message} `weights_key`"):
        _chosen(content)
    for key in ("ema", "ema.module"):
        assert torch.equal(_chosen(content, key).given["bias"], OTHER["bias"])
    assert torch.equal(_chosen(content, "state_dict").given["bias"], STATE["bias"])
    assert _chosen({"state_dict": STATE, "model": STATE}).key == "state_dict"


def test_the_top_has_a_key_too() -> None:
    content = {**STATE, "ema": OTHER}
    with pytest.raises(RequestError, match=r"2 times: \. \(2 tensors\), ema \(2 tensors\)"):
        _chosen(content)
    assert torch.equal(_chosen(content, ".").given["bias"], STATE["bias"])


def test_two_networks_in_one_state_are_asked_about() -> None:
    content = {"state_dict": {f"{who}.{n}": s for who in ("teacher", "student") for n, s in STATE.items()}}
    with pytest.raises(RequestError, match=r"state_dict.teacher \(2 tensors\), state_dict.student \(2 tensors\)"):
        _chosen({"state_dict": {n: s + n.startswith("student") for n, s in content["state_dict"].items()}})
    assert _chosen(content, "state_dict.student").stripped == ("student.",)


def test_a_lesser_part_is_taken_only_when_asked_for() -> None:
    little = {**{f"model.{name}": one for name, one in STATE.items()}, "loss.weight": torch.ones(5)}
    assert (_chosen(little).stripped, _chosen(little).beside) == (("model.",), ["loss.weight"])
    large = {**{f"fc.{name}": one for name, one in STATE.items()}, **{f"{n}.w": torch.ones(1) for n in range(3)}}
    with pytest.raises(RequestError, match=r"the lesser part: fc \(2 tensors\); .* give `weights_key` fc$"):
        _chosen(large)
    assert _chosen(large, "fc").given.keys() == STATE.keys()


def test_a_key_that_is_not_there() -> None:
    content = {"state_dict": STATE, "state_dict_ema": OTHER}
    with pytest.raises(RequestError, match=r"'state_dict_em' is no part of .* Did you mean 'state_dict_ema'\?"):
        _chosen(content, "state_dict_em")
    with pytest.raises(RequestError, match=r"'state_dict.bias' is one tensor; it has state_dict"):
        _chosen(content, "state_dict.bias")
    with pytest.raises(RequestError, match=r"'ema' is no part of the file; it has no dicts but the top, \."):
        _chosen(STATE, "ema")


def test_a_quantised_network_is_refused() -> None:
    network = torch.ao.nn.quantized.Linear(2, 2)
    with pytest.raises(
        RequestError, match=r"the network is quantised \(.*_packed_params.* is packed\), and takes no file"
    ):
        chosen(tensors_of(STATE), Expected.by(network), None)


def test_a_key_under_which_the_network_does_not_stand() -> None:
    with pytest.raises(RequestError, match=r"no tensors stand at the top .*; it has model \(2 tensors\)"):
        _chosen({"model": STATE}, ".")
    deeper = {"model": {f"fc.{name}": one for name, one in STATE.items()}}
    network = Expected.by(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    assert not chosen(tensors_of(deeper), network, "model.fc").fits
