"""What a look at a network puts back, one kind of harm at a time; all analyses are in `tests/analysis`."""

import random
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from cnnlab.models import snapshot
from cnnlab.models.tensors import copied, tensors_of, twins_of, without_values
from cnnlab.models.undisturbed import undisturbed


class Writer(nn.Module):
    """Runs `act` on itself."""

    def __init__(self, act: Callable[["Writer"], Any]) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("row", torch.arange(3.0).expand(2, 3))
        self.register_buffer("codes", torch.tensor([1, -2], dtype=torch.int8))
        self.register_buffer("complex", torch.tensor([complex(1, float("nan"))]))
        self.box = SimpleNamespace(inner=SimpleNamespace(values=[1, {2: [torch.zeros(2)]}]))
        self.gone = [weakref.proxy(nn.Identity())]
        self.act = [act]

    def forward(self, x: Tensor) -> Tensor:
        self.act[0](self)
        return x


def halved(model: Writer) -> None:
    with torch.no_grad():
        model.linear.weight.mul_(0.5)


def moved(model: Writer) -> None:
    model.linear.weight.data = model.linear.weight.data.double().t()


ACTS: dict[str, Callable[[Writer], Any]] = {
    "in place": halved,
    "in place, unseen by autograd": lambda m: m.linear.weight.data.mul_(0.5),
    "other memory": moved,
    "other parameter": lambda m: setattr(m.linear, "weight", nn.Parameter(torch.zeros(4, 4))),
    "a parameter goes": lambda m: delattr(m.linear, "bias"),
    "module exchanged": lambda m: setattr(m, "linear", nn.Identity()),
    "module added": lambda m: m.add_module("more", nn.Linear(1, 1)),
    "class": lambda m: setattr(m.linear, "__class__", nn.Identity),
    "hook": lambda m: m.linear.register_forward_hook(lambda *_: None),
    "gradient": lambda m: m.linear(torch.ones(1, 4)).sum().backward(),
    "frozen": lambda m: m.requires_grad_(False),
    "expanded memory": lambda m: m.row.untyped_storage().copy_(torch.ones(3).untyped_storage()),
    "small integers": lambda m: m.codes.add_(1),
    "complex": lambda m: m.complex.mul_(2),
    "deep in objects": lambda m: m.box.inner.values[1][2].append(1),
    "tensor deep in objects": lambda m: m.box.inner.values[1][2][0].add_(1),
    "training": lambda m: m.linear.train(),
    "to another type": lambda m: m.to(torch.bfloat16),
}


def told(model: Writer) -> object:
    values = [(id(t), t.data_ptr(), t.dtype, t.stride(), t._version, t.requires_grad, t.grad is None,
               bytes(t.untyped_storage())) for t in (*model.parameters(), *model.buffers())]  # fmt: skip
    modules = [(id(m), type(m), m.training, len(m._forward_hooks)) for m in model.modules()]
    return values, modules, str(model.box), [name for name, _ in tensors_of(model)]


@pytest.mark.parametrize("cheap", [snapshot.CHEAP, 0])
@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_everything_is_put_back(
    act: Callable[[Writer], Any], error: type[BaseException] | None, cheap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a large network (`cheap` is 0): what its first look found is copied at the next ones."""
    monkeypatch.setattr(snapshot, "CHEAP", cheap)
    monkeypatch.setattr(snapshot, "SMALL", cheap)
    model = Writer(act)
    model.linear.eval()
    before = told(model)
    for _ in range(3):
        try:
            with undisturbed(model):
                assert not any(module.training for module in model.modules())
                model(torch.zeros(1))
                if error:
                    raise error
        except KeyboardInterrupt:
            pass
        assert told(model) == before


def test_large_weights_are_copied_where_the_first_look_saw_them_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "CHEAP", 0)
    monkeypatch.setattr(snapshot, "SMALL", 40)
    model = nn.Linear(4, 4)  # 64 and 16 bytes

    def kept() -> tuple[int, int]:
        found = snapshot.Snapshot(model)
        return len(found._memory), len(found.unknown)

    with undisturbed(model, replaced=True):
        pass
    assert kept() == (1, 1), "one that others stood in for was not looked at"
    with undisturbed(model):
        pass
    assert kept() == (1, 0)
    model.weight.data = torch.zeros(4, 4)
    assert kept() == (1, 1), "other weights: what happens to them is not known"
    with undisturbed(model):
        model.weight.data.add_(1)
    assert kept() == (2, 0)
    assert not model.weight.any()


def test_modes_inside() -> None:
    model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    for training, inside in ((True, [True] * 3), (False, [False] * 3), (None, [True, True, False])):
        with undisturbed(model, training=training):
            assert [module.training for module in model.modules()] == inside
        assert [module.training for module in model.modules()] == [True, True, False]


def test_generators_and_settings_come_back() -> None:
    states = torch.get_rng_state(), random.getstate(), torch.get_num_threads(), torch.get_default_dtype()
    with undisturbed(nn.Identity()):
        torch.rand(1)
        random.random()
        torch.set_num_threads(states[2] + 1)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_default_device("meta")
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), torch.get_num_threads(), torch.get_default_dtype()) == states[1:]
    assert torch.is_grad_enabled()
    assert torch.empty(0).device.type == "cpu"


def test_scripted_and_inference_networks() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.Dropout())).train()
    with torch.inference_mode():
        inference = nn.Linear(2, 2)
    for model in (scripted, inference):
        before = [tensor.clone() for tensor in model.parameters()]
        with undisturbed(model), torch.inference_mode():
            assert not model.training
            next(model.parameters()).mul_(2)
        assert model.training
        assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_inference_tensors_whose_flags_change_and_frozen_scripts() -> None:
    with torch.inference_mode():
        inference = nn.Linear(2, 2)
    frozen = torch.jit.freeze(torch.jit.script(nn.Linear(2, 2).eval()))
    for model in (inference, frozen):
        with undisturbed(model), torch.no_grad():
            for parameter in model.parameters():
                parameter.requires_grad_(False)
            model(torch.ones(1, 2))


def test_a_graph_that_somebody_holds_can_still_be_walked_back() -> None:
    model = Writer(halved)
    loss = model.linear(torch.ones(1, 4, requires_grad=True)).sum()
    with undisturbed(model):
        model(torch.zeros(1))
    loss.backward()


class Twofold(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.row = nn.Sequential(self.linear, nn.ReLU())
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.linear.weight

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.tied(self.row(x))
        return result


def test_a_module_of_two_names_is_exchanged_once() -> None:
    model = Twofold()
    held = [id(tensor) for _, tensor in tensors_of(model)]
    twins = twins_of(model, without_values)
    assert list(twins) == ["linear.weight", "linear.bias", "tied.weight", "tied.bias"]
    assert twins["linear.weight"] is twins["tied.weight"]
    functional_call(model, twins, (torch.zeros(1, 4, device="meta"),), tie_weights=False)
    assert [id(tensor) for _, tensor in tensors_of(model)] == held
    assert model.row[0] is model.linear


def test_a_copy_of_what_torch_does_not_copy() -> None:
    with pytest.warns(FutureWarning):
        model = nn.utils.weight_norm(nn.Linear(2, 2))
    model(torch.zeros(1, 2))
    assert torch.equal(copied(model)(torch.ones(1, 2)), model(torch.ones(1, 2)))
