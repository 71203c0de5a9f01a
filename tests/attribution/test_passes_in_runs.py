"""Passes that share a frozen network give what each would by itself, and a network that may remember has its own."""

from collections.abc import Iterator

import pytest
import torch
from networks import small
from torch import Tensor, nn

from cnnlab.attribution import passes
from cnnlab.attribution.attribution import attribute


class Counting(nn.Module):
    """Adds how often it was called, which nobody may see."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return images + self.calls


@pytest.mark.parametrize("method", ["scorecam", "occlusion", "rise:masks=40"])
def test_maps_are_the_same_to_the_bit(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = small(seed=3), torch.randn(3, 3, 16, 16)

    def maps() -> Tensor:
        return attribute(model, images, [0, 1, 2], methods=[method], max_batch=4)[0].maps

    together = maps()
    monkeypatch.setattr(passes, "RUN", 1)
    assert torch.equal(together, maps())


def test_a_network_that_may_remember_is_frozen_for_each_pass() -> None:
    counting = nn.Sequential(Counting(), nn.Flatten())
    assert passes.keeps_nothing(small())
    assert not passes.keeps_nothing(counting)
    hooked = nn.Sequential(nn.ReLU())
    hooked.register_forward_hook(lambda *_: None)
    assert not passes.keeps_nothing(hooked)
    found = []

    def asked() -> Iterator[None]:
        for _ in range(3):
            found.append(passes.frozen_logits(counting, torch.zeros(1, 1, 1, 2)))
            yield

    assert list(passes.in_runs(counting, asked())) == [1, 1, 1]
    assert [float(one[0, 0]) for one in found] == [1, 1, 1]
    assert counting[0].calls == 0


@pytest.mark.parametrize(("count", "runs"), [(0, []), (3, [3]), (8, [8]), (9, [8, 1])])
def test_each_pass_is_counted_once(count: int, runs: list[int]) -> None:
    assert list(passes.in_runs(nn.Sequential(nn.ReLU()), iter([None] * count))) == runs
