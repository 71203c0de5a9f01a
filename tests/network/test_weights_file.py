"""Weights of somebody else's into a network: in every usual form, whole or not at all."""

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.network.weights_file import load_weights_file


class Inner(nn.Module):
    """A network whose only child is called as a wrapper calls it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.add_module(name, nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))


class Own(nn.Module):
    """A weight, and a child `module` that has one of the same name."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 2))
        self.module = nn.Linear(2, 2, bias=False)


class Tied(nn.Module):
    """Two layers of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
        self.two.weight = self.one.weight


NETWORKS = {
    "plain": lambda: nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
    "module": lambda: Inner("module"),
    "_orig_mod": lambda: Inner("_orig_mod"),
    "model": lambda: Inner("model"),
    "both": Own,
    "tied": Tied,
}
WRAPPED = {
    "as it is": lambda network: network,
    "parallel": nn.DataParallel,
    "compiled": torch.compile,
    "compiled in parallel": lambda network: nn.DataParallel(torch.compile(network)),
    "parallel and compiled": lambda network: torch.compile(nn.DataParallel(network)),
    "averaged": torch.optim.swa_utils.AveragedModel,
    "twice in parallel": lambda network: nn.DataParallel(nn.DataParallel(network)),
    "a part of something": lambda network: nn.ModuleDict({"model": network}),
}


def _filled(network: nn.Module) -> nn.Module:
    for number, value in enumerate(network.state_dict().values()):
        ramp = torch.arange(value.numel()).reshape(value.shape) + number + 1  # weights that are all alike get a remark
        value.copy_(ramp)
    return network


def _same(one: nn.Module, other: dict[str, Tensor]) -> bool:
    own = one.state_dict()
    return list(own) == list(other) and all(torch.equal(tensor, other[name]) for name, tensor in own.items())


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_wrapped_in_any_order_the_weights_are_the_networks(tmp_path: Path, network: str, wrapped: str) -> None:
    model, twin = _filled(NETWORKS[network]()), NETWORKS[network]()
    torch.save(WRAPPED[wrapped](model).state_dict(), tmp_path / "w.pt")
    loaded = load_weights_file(twin, tmp_path / "w.pt")
    assert _same(twin, model.state_dict())
    assert (loaded.key, loaded.missing_ok, loaded.casts) == ("", (), ())
    assert loaded.parameters == sum(one.numel() for one in twin.parameters())


def test_what_was_done_is_told(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).half()
    state = {f"model.net.{name}": one for name, one in model.state_dict().items() if "tracked" not in name}
    state["model.net.0.bias"][0] = torch.nan
    torch.save({"state_dict": {**state, "loss.weight": torch.ones(2)}, "args": nn.ReLU()}, tmp_path / "w.ckpt")
    loaded = load_weights_file(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), tmp_path / "w.ckpt")
    assert (loaded.key, loaded.stripped, loaded.tensors, loaded.parameters) == ("state_dict", ("model.", "net."), 6, 10)
    assert loaded.missing_ok == ("1.num_batches_tracked",)
    assert loaded.notes[:-1] == (
        "weights taken from state_dict, 'model.' and 'net.' taken off the names",
        "float16 weights cast to float32 (6 tensors)",
        "1 of 6 tensors hold NaN or infinity (first 0.bias: 1 of 2 numbers)",
        "1.num_batches_tracked not in the file, as in old ones; num_batches_tracked matters to training alone",
        "loss.weight left out: no part of the network",
    )
    assert loaded.notes[-1].startswith("objects beside the weights left unread: ")
    assert "torch.nn.modules.activation.ReLU" in loaded.notes[-1]


def test_plain_weights_need_no_words(tmp_path: Path) -> None:
    save_file(nn.Linear(2, 2).state_dict(), tmp_path / "w.safetensors")
    loaded = load_weights_file(nn.Linear(2, 2), tmp_path / "w.safetensors")
    assert (loaded.path, loaded.notes, loaded.tensors) == (tmp_path / "w.safetensors", (), 2)


def test_tied_weights_come_by_either_name(tmp_path: Path) -> None:
    model, twin = _filled(Tied()), Tied()
    save_model(model, str(tmp_path / "w.safetensors"))  # which leaves one of the two names out
    loaded = load_weights_file(twin, tmp_path / "w.safetensors")
    assert _same(twin, model.state_dict())
    assert twin.one.weight is twin.two.weight
    [lacking], [note] = loaded.missing_ok, loaded.notes
    assert note.startswith(f"{lacking} is one tensor with ")
    torch.save({"one.weight": torch.eye(2), "two.weight": 1 - torch.eye(2)}, tmp_path / "two.pt")
    assert load_weights_file(twin, tmp_path / "two.pt").notes == (
        "two.weight and one.weight are one tensor in the network and two in the file; the last was taken",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], r"holds no weights \(but one list\): expected tensors by the names of a network's parameters"),
        ({"epoch": 3}, r"holds no weights \(but epoch\): expected tensors"),
        ({}, r"holds no weights \(an empty dict\)"),
        (torch.ones(2), r"holds no weights \(but one Tensor\)"),
        ({"epoch": 3, "model": nn.Linear(2, 2)}, "under 'model' it holds a whole object of the class torch.nn"),
        ({"module.conv.weight": torch.ones(2, 2)}, "does not fit the network under module.conv: 1 of the network's 2"),
        ({"module.conv.w": torch.ones(2, 2)}, r"is of another network: of its 1 tensors \(module.conv.w"),
        ({"a.b": {"c": torch.ones(1)}, "a": {"b.c": torch.ones(1)}}, "two of its tensors have the name a.b.c"),
    ],
)
def test_what_is_no_weights_of_the_network(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(RequestError, match=f"^{tmp_path}/w.pt: {message}"):
        load_weights_file(nn.Linear(2, 2), tmp_path / "w.pt")


def _random_network(widths: list[int], wrapped: list[str]) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in zip([2, *widths], widths, strict=False):
        layers += [nn.Conv2d(before, after, 1), nn.BatchNorm2d(after)]
    network: nn.Module = nn.Sequential(*layers)
    for name in wrapped:
        network = nn.ModuleDict({name: network})
    return _filled(network)


names = st.sampled_from(["module", "_orig_mod", "model", "net", "a"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.lists(names, max_size=2), st.data())
def test_random_files_round_trip_and_damaged_ones_change_nothing(
    tmp_path: Path, widths: list[int], own: list[str], data: Any
) -> None:
    source, target = _random_network(widths, own), _random_network(widths, own)
    before = {name: one.zero_().clone() for name, one in target.state_dict().items()}
    wrappers = data.draw(st.lists(names, max_size=3))
    state = {".".join([*wrappers, name]): one for name, one in source.state_dict().items()}
    damaged = data.draw(st.sampled_from(["", "", "lacking", "shape", "whole", "more", "name"]))
    chosen = data.draw(st.sampled_from([name for name in state if "tracked" not in name]))
    tensor = state.pop(chosen)
    kept = {
        "": {chosen: tensor},
        "shape": {chosen: torch.ones(7, 7)},
        "whole": {chosen: tensor.to(torch.int32)},
        "more": {chosen: tensor, f"{chosen}s": tensor},
        "name": {f"{chosen}s": tensor},
    }
    content: Any = {**state, **kept.get(damaged, {})}
    for key in data.draw(st.lists(st.sampled_from(["state_dict", "model", "ema"]), max_size=2)):
        content = {"epoch": 1, key: content}
    if data.draw(st.booleans()) or "epoch" in content:
        torch.save(content, tmp_path / "w.pt")
    else:
        save_file(content, tmp_path / "w.pt")
    if damaged:
        with pytest.raises(RequestError):
            load_weights_file(target, tmp_path / "w.pt")
        assert _same(target, before)
    else:
        load_weights_file(target, tmp_path / "w.pt")
        assert _same(target, source.state_dict())


def _files(folder: Path) -> list[bytes]:
    """The same weights as safetensors, and as torch wrote them before and since 1.6, with and without checksums."""
    state = _random_network([2], []).state_dict()
    content = {"state_dict": state, "args": argparse.Namespace(lr=0.1)}
    save_file(state, folder / "0")
    torch.save(content, folder / "1", _use_new_zipfile_serialization=False)
    torch.save(content, folder / "2")
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(content, folder / "3")
    finally:
        torch.serialization.set_crc32_options(True)
    return [(folder / str(number)).read_bytes() for number in range(4)]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 3), st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), min_size=1, max_size=3), st.data()
)
def test_files_with_other_bytes_are_told_in_sentences_or_read(
    tmp_path: Path, which: int, changes: list[tuple[float, bytes]], data: Any
) -> None:
    content = bytearray(_files(tmp_path)[which])
    for place, put in changes:
        at = int(place * len(content))
        content[at : at + data.draw(st.integers(0, 4))] = put
    if data.draw(st.integers(0, 4)) == 0:
        del content[int(data.draw(st.floats(0, 1)) * len(content)) :]
    (tmp_path / "w.pt").write_bytes(content)
    target = _random_network([2], [])
    before = {name: one.zero_().clone() for name, one in target.state_dict().items()}
    try:
        load_weights_file(target, tmp_path / "w.pt")
    except RequestError:
        assert _same(target, before)
