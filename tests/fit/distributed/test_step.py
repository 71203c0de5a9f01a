"""What a process sends, and when, as far as one alone can tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from cnnlab.fit.distributed import step
from cnnlab.fit.distributed.ranks import Ranks
from cnnlab.fit.distributed.step import Exchange


@dataclass(frozen=True)
class Watched(Ranks):
    """One of two processes, whose sums are its own numbers; it keeps what it has sent, and what had a gradient then."""

    world: int = 2
    model: nn.Module = field(default_factory=nn.Identity)
    sent: list[tuple[int, set[str]]] = field(default_factory=list)

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Nothing is added."""

    def adding(self, tensor: Tensor) -> Callable[[], None]:
        there = {name for name, parameter in self.model.named_parameters() if parameter.grad is not None}
        self.sent.append((tensor.numel(), there))
        return lambda: None


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> nn.Sequential:
    monkeypatch.setattr(step, "BUCKET", 6)
    return nn.Sequential(*(nn.Linear(2, 2) for _ in range(3)))


def stepped(exchange: Exchange, chain: nn.Sequential, inputs: Tensor) -> None:
    chain.zero_grad()
    exchange.begin()
    chain(inputs).sum().backward()
    exchange.end([torch.zeros(())], 1.0)


def test_sums_begin_while_the_backward_pass_runs(chain: nn.Sequential) -> None:
    ranks = Watched(model=chain)
    exchange = Exchange(ranks, chain, list(chain.parameters()))
    names = {name for name, _ in chain.named_parameters()}
    stepped(exchange, chain, torch.ones(1, 2))
    assert ranks.sent == [(6, names)] * 3  # nothing is known before the first
    ranks.sent.clear()
    stepped(exchange, chain, torch.ones(1, 2))
    assert [size for size, _ in ranks.sent] == [6, 6, 6]
    assert [sorted({name[0] for name in there}) for _, there in ranks.sent] == [["2"], ["1", "2"], ["0", "1", "2"]]
    assert not any(one._post_accumulate_grad_hooks for one in chain.parameters())


def test_a_gradient_that_comes_too_late_is_sent_again(chain: nn.Sequential) -> None:
    ranks = Watched(model=chain)
    exchange = Exchange(ranks, chain, list(chain.parameters()))
    expected = []
    for used in (chain[:2], chain[:2], chain):  # the last layer joins
        chain.zero_grad()
        exchange.begin()
        inputs = torch.ones(1, 2)
        # the layer that joins is used first, so that its gradient comes last
        (used(inputs) if used is not chain else chain[1](chain[0](chain[2](inputs)))).sum().backward()
        expected = [None if one.grad is None else one.grad.clone() for one in chain.parameters()]
        ranks.sent.clear()
        exchange.end([torch.zeros(())], 1.0)
    assert len(ranks.sent) == 3
    assert all(torch.equal(one.grad, other) for one, other in zip(chain.parameters(), expected, strict=True))


def test_frozen_parameters_are_not_sent_and_unused_ones_stay_without_a_gradient(chain: nn.Sequential) -> None:
    ranks = Watched(model=chain)
    exchange = Exchange(ranks, chain, list(chain.parameters()))
    chain[0].requires_grad_(False)
    for _ in range(2):
        ranks.sent.clear()
        chain.zero_grad()
        exchange.begin()
        chain[:2](torch.ones(1, 2)).sum().backward()
        exchange.end([torch.zeros(())], 1.0)
        assert len(ranks.sent) == 2
        assert chain[0].weight.grad is chain[2].weight.grad is None
