"""Where the time of a pass goes, by a clock that is set by hand and against torch's profiler."""

from statistics import median
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.profiler import record_function
from torch.profiler import ProfilerActivity, profile

from cnnlab.layers_lab.cost.stopwatch import layer_seconds
from cnnlab.network import speed
from cnnlab.network.speed import pass_seconds, threads


class Clock:
    """Tells what it is set to."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=made))
    return made


class Takes(nn.Module):
    """A layer that takes so many seconds of a clock."""

    def __init__(self, clock: Clock, seconds: float, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.clock, self.seconds, self.inner = clock, seconds, inner or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        self.clock.time += self.seconds
        return self.inner(x)


def test_a_layer_has_its_own_time_without_that_of_those_inside_it(clock: Clock) -> None:
    model = nn.Sequential(Takes(clock, 12, Takes(clock, 24)), Takes(clock, 6)).train()
    found = layer_seconds(model, torch.ones(1, 1, 2, 2), repeats=3)
    assert {name: seconds for name, seconds in found.own.items() if seconds} == {"0": 12, "0.inner": 24, "1": 6}
    assert found.own[""] == 0
    assert found.whole == found.unwatched == 42
    assert model.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class Named(nn.Module):
    """A layer that the profiler knows by its name."""

    def __init__(self, name: str, inner: nn.Module) -> None:
        super().__init__()
        self.name, self.inner = name, inner

    def forward(self, x: Tensor) -> Tensor:
        with record_function(self.name):
            return self.inner(x)


def test_shares_are_those_of_the_profiler() -> None:
    layers = {"wide": nn.Conv2d(48, 48, 5, padding=2), "thin": nn.Conv2d(48, 48, 1), "norm": nn.BatchNorm2d(48)}
    model = nn.Sequential(*(Named(name, layer) for name, layer in layers.items())).eval()
    images = torch.randn(1, 48, 24, 24)
    found = layer_seconds(model, images, repeats=15)
    own = {name: found.own[f"{number}.inner"] for number, name in enumerate(layers)}
    last = images.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        model(last)
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            for _ in range(15):
                model(last)
    events = profiler.events() or []
    times = {name: median(one.cpu_time_total for one in events if one.name == name) for name in layers}
    ours, theirs = ({name: of[name] / sum(of.values()) for name in layers} for of in (own, times))
    assert max(layers, key=ours.__getitem__) == max(layers, key=theirs.__getitem__) == "wide"
    assert all(abs(ours[name] - theirs[name]) < 0.2 for name in layers), (ours, theirs)


def test_networks_take_turns_and_threads_are_as_before(clock: Clock) -> None:
    order: list[str] = []

    class Counted(nn.Module):
        def __init__(self, name: str, seconds: float) -> None:
            super().__init__()
            self.name, self.seconds = name, seconds

        def forward(self, x: Tensor) -> Tensor:
            order.append(self.name)
            clock.time += self.seconds
            return x

    before = torch.get_num_threads()
    with threads(before + 1) as count:
        slow, fast = pass_seconds([Counted("slow", 0.5), Counted("fast", 0.125)], torch.ones(1, 1, 2, 2), repeats=4)
        assert count == torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    assert torch.is_grad_enabled()
    assert order == ["slow", "fast"] * 6
    assert slow.over(fast).values == (4.0,) * 4
