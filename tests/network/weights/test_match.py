"""Where in a file a network's weights stand: wrappers of all kinds, in any order, and never one that it owns."""

from collections import OrderedDict
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnlab.network.weights.expected import Expected
from cnnlab.network.weights.match import matches, nearest
from cnnlab.network.weights.tensors import tensors_of

NAMES = ("module", "_orig_mod", "model", "net", "conv", "0", "norm", "head")

KEYS = ("state_dict", "model", "ema", "module", "params", "net")


LAYERS = (lambda: nn.Conv2d(2, 3, 1), lambda: nn.BatchNorm2d(2), lambda: nn.Linear(2, 2, bias=False))


def _built(shape: Any) -> nn.Module:
    if isinstance(shape, int):
        return LAYERS[shape]()
    network = nn.Module()
    for name, part in shape.items():
        network.add_module(name, _built(part))
    return network


def _filled(network: nn.Module) -> nn.Module:
    for number, tensor in enumerate(network.state_dict().values()):
        tensor.fill_(number + 1)
    return network


children = st.sampled_from(NAMES)
shapes = st.recursive(
    st.integers(0, 2), lambda inner: st.dictionaries(children, inner, min_size=1, max_size=3), max_leaves=5
).filter(lambda shape: not isinstance(shape, int))


@settings(max_examples=150, deadline=None)
@given(shapes, st.lists(st.sampled_from(NAMES), max_size=4), st.lists(st.sampled_from(KEYS), max_size=3), st.booleans())
def test_random_networks_in_random_wrappers_in_random_dicts(
    shape: Any, wrappers: list[str], keys: list[str], averaged: bool
) -> None:
    own = _built(shape)
    state = dict(_filled(_built(shape)).state_dict())
    content: Any = {".".join([*wrappers, name]): one for name, one in state.items()}
    if averaged and wrappers:
        content["n_averaged"] = torch.tensor(7)
    for key in reversed(keys):
        content = {"epoch": 3, key: content, "optimizer": {"state": {0: {"exp_avg": torch.ones(5)}}}}
    found = matches(tensors_of(content), Expected.by(own))
    assert found
    # several only where the network's own names repeat, and then the plainest is among them
    assert any(
        set(one.taken) == set(state) and all(torch.equal(one.taken[name], state[name]) for name in state)
        for one in found
    )
    if len({name.rpartition(".")[2] for name in state}) == len(state):
        assert len(found) == 1


def test_a_wrapped_part_is_unwrapped_too() -> None:
    plain = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)))
    inside = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)))
    inside[1] = torch.compile(nn.DataParallel(inside[1]))
    assert "1._orig_mod.module.0.weight" in inside.state_dict()
    for model in (inside, torch.compile(nn.DataParallel(inside))):
        [found] = matches(tensors_of(model.state_dict()), Expected.by(plain))
        assert set(found.given) == set(plain.state_dict())


def test_the_network_may_be_the_wrapped_one() -> None:
    own = torch.compile(nn.DataParallel(nn.Linear(2, 2)))
    [found] = matches(tensors_of(nn.Linear(2, 2).state_dict()), Expected.by(own))  # type: ignore[arg-type]
    assert (set(found.given), found.added) == (set(own.state_dict()), "_orig_mod.module")  # type: ignore[attr-defined]


def test_weights_and_averages_are_two_matches() -> None:
    state = nn.Linear(2, 2).state_dict()
    content = {"state_dict": state, "ema": {"module": {f"module.{name}": one + 1 for name, one in state.items()}}}
    found = matches(tensors_of(content), Expected.by(nn.Linear(2, 2)))
    assert [(one.key, one.prefix, one.stripped) for one in found] == [
        ("state_dict", "state_dict", ()),
        ("ema.module", "ema.module.module", ("module.",)),
    ]
    assert not found[0].same_as(found[1])
    [below] = matches(tensors_of(content), Expected.by(nn.Linear(2, 2)), "ema")
    assert below.key == "ema.module"


def test_parts_of_a_network_in_dicts_of_their_own_are_joined() -> None:
    own = nn.ModuleDict({"backbone": nn.Linear(2, 2), "head": nn.Linear(2, 3)})
    content = {"epoch": 2, "backbone": nn.Linear(2, 2).state_dict(), "head": nn.Linear(2, 3).state_dict()}
    [found] = matches(tensors_of(content), Expected.by(own))
    assert set(found.given) == set(own.state_dict())


def test_what_may_be_lacking_and_what_may_be_too_much() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.one, self.two = nn.BatchNorm1d(2), nn.Linear(2, 2), nn.Linear(2, 2)
            self.two.weight = self.one.weight
            self.register_buffer("grid", torch.zeros(3), persistent=False)

    state = Net().state_dict()
    del state["norm.num_batches_tracked"], state["two.weight"]
    state |= {"grid": torch.ones(3), "total_ops": torch.zeros(1), "one.total_params": torch.zeros(1)}
    [found] = matches(tensors_of(state), Expected.by(Net()))
    assert found.fits
    for name in ("norm.weight", "one.weight"):
        lacking = {one: tensor for one, tensor in state.items() if one != name}
        assert not matches(tensors_of(lacking), Expected.by(Net()))
    assert not matches(tensors_of(state | {"extra.weight": torch.zeros(2)}), Expected.by(Net()))


def test_a_part_of_the_right_names_and_other_shapes_is_the_nearest() -> None:
    content = {
        "optimizer": {"state": {0: {"weight": torch.zeros(9)}}},
        "model": {f"net.{name}": one for name, one in nn.Linear(2, 5).state_dict().items()},
    }
    own = Expected.by(nn.Linear(2, 3))
    assert not matches(tensors_of(content), own)
    found = nearest(tensors_of(content), own)
    assert (found.key, found.misshapen, found.missing) == ("model", ["weight", "bias"], [])


def test_lists_names_with_dots_and_loops_are_looked_through() -> None:
    loop: dict[str, Any] = {"weight": torch.ones(2, 2)}
    loop["self"] = loop
    assert list(tensors_of(loop).by_name) == ["weight"]
    found = tensors_of([OrderedDict(weight=torch.ones(1)), {"a.b": {"c": torch.ones(1)}}])
    assert list(found.by_name) == ["0.weight", "1.a.b.c"]
    assert found.dict_of("1.a.b.c") == "1.a.b"
    assert tensors_of({"a.b": {"c": torch.ones(1)}, "a": {"b.c": torch.ones(1)}}).twice == "a.b.c"
