"""Where the time of a pass goes, against sleeps of known length and against torch's profiler."""

import time
from statistics import median

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.profiler import record_function
from torch.profiler import ProfilerActivity, profile

from cnnlab.layers_lab.cost.stopwatch import layer_seconds
from cnnlab.network.speed import pass_seconds, threads


class Sleep(nn.Module):
    def __init__(self, seconds: float, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.seconds, self.inner = seconds, inner or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.seconds)
        return self.inner(x)


def test_a_layer_has_its_own_time_without_that_of_those_inside_it() -> None:
    model = nn.Sequential(Sleep(0.012, Sleep(0.024)), Sleep(0.006)).train()
    found = layer_seconds(model, torch.ones(1, 1, 2, 2), repeats=3)
    for name, slept in {"0": 0.012, "0.inner": 0.024, "1": 0.006}.items():
        assert slept <= found.own[name] < slept + 0.004, name
    assert found.own[""] < 0.002
    assert found.whole == pytest.approx(0.042, abs=0.008)
    assert found.unwatched == pytest.approx(0.042, abs=0.008)
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


def test_networks_take_turns_and_threads_are_as_before() -> None:
    order: list[str] = []

    class Counted(nn.Module):
        def __init__(self, name: str, seconds: float) -> None:
            super().__init__()
            self.name, self.seconds = name, seconds

        def forward(self, x: Tensor) -> Tensor:
            order.append(self.name)
            time.sleep(self.seconds)
            return x

    before = torch.get_num_threads()
    with threads(before + 1) as count:
        slow, fast = pass_seconds([Counted("slow", 0.02), Counted("fast", 0.005)], torch.ones(1, 1, 2, 2), repeats=4)
        assert count == torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    assert torch.is_grad_enabled()
    assert order == ["slow", "fast"] * 6
    assert 2 < slow.over(fast).median < 5
