"""Weights of somebody else's: read in every usual form, and never run."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.network.weights_file import fitting_names, load_weights_file, read_weights

WEIGHTS = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.ones(2)}


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path("ran").touch, ())


@pytest.mark.parametrize("content", [WEIGHTS, {"state_dict": WEIGHTS, "epoch": 3}, {"model": WEIGHTS}])
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files(tmp_path: Path, content: object, zipped: bool) -> None:
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    found = read_weights(tmp_path / "w.pth")
    assert set(found) == set(WEIGHTS)
    assert all(torch.equal(found[name], tensor) for name, tensor in WEIGHTS.items())


def test_safetensors(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert torch.equal(read_weights(tmp_path / "w.safetensors")["conv.weight"], WEIGHTS["conv.weight"])


def test_a_file_that_could_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"w": Harmful()}, "w.pt")
    with pytest.raises(RequestError, match="could run code"):
        read_weights(Path("w.pt"))
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("w.pt", b""), ("w.pt", b"hello, this is text"), ("w.safetensors", b"{}"), ("w.pth", b"PK\x03\x04 cut off")],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError, match="is no file of weights, or a damaged one"):
        read_weights(tmp_path / name)


def test_what_is_no_weights(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"epoch": 3}, tmp_path / "facts.pt")
    for name in ("list.pt", "facts.pt"):
        with pytest.raises(RequestError, match="holds no weights"):
            read_weights(tmp_path / name)
    with pytest.raises(RequestError, match="no such file of weights"):
        read_weights(tmp_path / "none.pt")


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


def _compiled_inside() -> nn.Module:
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)))
    network[1] = torch.compile(nn.DataParallel(network[1]))
    return network


NETWORKS = {
    "plain": lambda: nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
    "module": lambda: Inner("module"),
    "_orig_mod": lambda: Inner("_orig_mod"),
    "both": Own,
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


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_wrapped_in_any_order_the_weights_are_the_networks(tmp_path: Path, network: str, wrapped: str) -> None:
    model, twin = NETWORKS[network](), NETWORKS[network]()
    with torch.no_grad():
        for number, value in enumerate(model.parameters()):
            value.fill_(number + 1)
    torch.save(WRAPPED[wrapped](model).state_dict(), tmp_path / "w.pt")
    load_weights_file(twin, tmp_path / "w.pt")
    for name, tensor in model.state_dict().items():
        assert torch.equal(twin.state_dict()[name], tensor), name


def test_a_wrapped_part_is_unwrapped_too() -> None:
    inside = _compiled_inside()
    assert "1._orig_mod.module.0.weight" in inside.state_dict()
    plain = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)))
    for model in (inside, torch.compile(nn.DataParallel(inside))):
        assert set(fitting_names(model.state_dict(), plain.state_dict())) == set(plain.state_dict())


def test_the_weights_of_another_network_keep_their_names(tmp_path: Path) -> None:
    torch.save({"module.conv.weight": torch.ones(2, 2)}, tmp_path / "w.pt")
    with pytest.raises(RequestError, match=r"w.pt: a checkpoint of another model.*\(first module.conv.weight\)"):
        load_weights_file(nn.Linear(2, 2), tmp_path / "w.pt")
