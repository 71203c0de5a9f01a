import pytest
import torch
from torch import nn

from cnnlab.fit.state import Ema


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_constant_weights_stay() -> None:
    model = network()
    ema = Ema(model, decay=0.99)
    for _ in range(20):
        ema.update(model)
    for mine, its in zip(ema.model.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(mine, its)


def test_by_hand_with_warmup_and_buffers() -> None:
    model = network()
    ema = Ema(model, decay=0.5)
    expected = {name: value.clone().double() for name, value in model.state_dict().items()}
    for update in range(1, 12):
        model(torch.randn(8, 3) + update)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        ema.update(model)
        decay = min(0.5, (1 + update) / (10 + update))
        for name, value in model.state_dict().items():
            expected[name] = value if name.endswith("tracked") else decay * expected[name] + (1 - decay) * value
    for name, value in ema.model.state_dict().items():
        torch.testing.assert_close(value.double(), expected[name].double())
    assert int(ema.model[1].num_batches_tracked) == 11


def test_its_model_is_a_copy_in_evaluation_mode() -> None:
    model = network()
    ema = Ema(model, decay=0.9)
    assert not ema.model.training
    assert model.training
    assert not any(p.requires_grad for p in ema.model.parameters())
    with torch.no_grad():
        model[0].weight.add_(1)
    assert not torch.equal(ema.model[0].weight, model[0].weight)


@pytest.mark.parametrize(("every", "updates"), [(1, 10), (3, 3), (20, 0)])
def test_every(every: int, updates: int) -> None:
    model = network()
    ema = Ema(model, decay=0.9, every=every)
    for _ in range(10):
        ema.update(model)
    assert (ema.steps, ema.updates) == (10, updates)


def test_state_round_trip_continues_to_the_bit() -> None:
    def drift(model: nn.Module) -> None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.1).add_(0.01)

    model = network()
    ema = Ema(model, decay=0.9, every=2)
    for _ in range(5):
        drift(model)
        ema.update(model)
    other = Ema(network(), decay=0.9, every=2)
    other.load_state_dict(
        {k: v if k != "model" else {n: t.clone() for n, t in v.items()} for k, v in ema.state_dict().items()}
    )
    for _ in range(5):
        drift(model)
        ema.update(model)
        other.update(model)
    assert (other.steps, other.updates) == (ema.steps, ema.updates)
    for a, b in zip(ema.model.state_dict().values(), other.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)
