import pytest
import torch
from torch import Tensor, nn

from cnnlab.fit.fit import first_non_finite


class Residual(nn.Module):
    """The sum overflows though neither part does."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images) * 1e38 * 1e38


def network() -> nn.Sequential:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout())
    return nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), body, nn.Flatten(), nn.Linear(12, 2))


@pytest.mark.parametrize("planted", ["0.weight", "1.bias", "2.0.weight", "2.1.weight", "4.bias"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_planted_number_is_named(planted: str, number: float) -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter(planted).view(-1)[0] = number
    layer, _, parameter = planted.rpartition(".")
    before = {name: value.clone() for name, value in model.named_buffers()}
    modes = [module.training for module in model.modules()]
    assert first_non_finite(model, torch.randn(4, 1, 2, 2)) == (
        f"it appears first in layer {layer} (its {parameter} is not finite)"
    )
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks for module in model.modules())


def test_overflow_with_sound_weights() -> None:
    model = nn.Sequential(nn.Identity(), Residual(), nn.Flatten())
    assert first_non_finite(model, torch.ones(2, 1, 2, 2)) == (
        "it appears first in layer 1 (its output; its weights are finite)"
    )


def test_several_batches() -> None:
    model = nn.Sequential(nn.Identity(), Residual())
    batches = [torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)]
    assert "layer 1 " in first_non_finite(model, batches)
    assert first_non_finite(model, batches[:1]) == "every layer's output is finite; the loss itself overflows"
    assert first_non_finite(model, [*batches[:1], torch.full((1, 1, 1, 1), float("nan"))]) == (
        "the input images hold a value that is not finite"
    )


def test_hooks_and_statistics_come_back_after_an_error() -> None:
    model = network()
    before = {name: value.clone() for name, value in model.named_buffers()}
    with pytest.raises(RuntimeError):
        first_non_finite(model, torch.randn(4, 1, 9, 9))  # too large for the linear layer
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())
    assert not any(module._forward_hooks for module in model.modules())
