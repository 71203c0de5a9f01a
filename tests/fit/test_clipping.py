import pytest
import torch
from torch import nn

from cnnlab.core.registry import component
from cnnlab.fit import catalog  # noqa: F401


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 4), nn.Linear(4, 2))


def with_gradients(model: nn.Module, scale: float) -> list[nn.Parameter]:
    parameters = list(model.parameters())
    for parameter in parameters:
        parameter.grad = scale * torch.randn_like(parameter)
    return parameters


@pytest.mark.parametrize(("scale", "expected"), [(100.0, 0.5), (1e-4, None)])
def test_norm(scale: float, expected: float | None) -> None:
    parameters = with_gradients(network(), scale)
    before = torch.cat([p.grad.flatten().clone() for p in parameters])
    component("clipping", "norm", maximum=0.5).build(model=network())(parameters)
    after = torch.cat([p.grad.flatten() for p in parameters])
    assert float(after.norm()) == pytest.approx(expected if expected else float(before.norm()), rel=1e-4)
    torch.testing.assert_close(after / after.norm(), before / before.norm())


def test_adaptive_by_hand() -> None:
    """Each unit: gradient norm at most factor · max(weight norm, eps); the head stays as it is."""
    model, factor, eps = network(), 0.02, 1e-3
    parameters = with_gradients(model, 1.0)
    before = [p.grad.clone() for p in parameters]
    component("clipping", "adaptive", factor=factor, eps=eps).build(model=model)(parameters)
    head = set(map(id, model[-1].parameters()))
    for parameter, old in zip(parameters, before, strict=True):
        if id(parameter) in head:
            assert torch.equal(parameter.grad, old)
            continue
        units = range(len(parameter)) if parameter.ndim > 1 else [slice(None)]
        for unit in units:
            largest = factor * max(float(parameter.detach()[unit].norm()), eps)
            expected = old[unit] * min(1.0, largest / float(old[unit].norm()))
            torch.testing.assert_close(parameter.grad[unit], expected)


def test_adaptive_leaves_small_gradients_and_missing_ones_alone() -> None:
    model = network()
    parameters = with_gradients(model, 1e-9)
    before = [p.grad.clone() for p in parameters]
    parameters[0].grad = None
    component("clipping", "adaptive").build(model=model)(parameters)
    assert all(torch.equal(p.grad, old) for p, old in zip(parameters[1:], before[1:], strict=True))


def test_adaptive_without_a_linear_layer_spares_the_last_convolution() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.Conv2d(2, 2, 1, bias=False), nn.AdaptiveAvgPool2d(1))
    parameters = with_gradients(model, 10.0)
    before = [p.grad.clone() for p in parameters]
    component("clipping", "adaptive").build(model=model)(parameters)
    assert not torch.equal(parameters[0].grad, before[0])
    assert torch.equal(parameters[1].grad, before[1])
