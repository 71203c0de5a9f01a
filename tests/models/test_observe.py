import pytest
import torch
from torch import nn

from cnnlab.models.undisturbed import observe


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.ReLU(), nn.Dropout(0.5)))


def test_what_is_seen_of_every_module_and_of_one() -> None:
    model, images = network(), torch.randn(2, 1, 5, 5)
    seen, one = [], []
    with observe(model, lambda name, module, inputs, output: seen.append((name, module, inputs[0].shape, output))):
        result = model(images)
    assert [name for name, *_ in seen] == ["0", "1.0", "1.1", "1", ""]
    assert [module for _, module, *_ in seen] == [model.get_submodule(name) for name, *_ in seen]
    assert seen[-1][2:] == (images.shape, result)
    assert not result.requires_grad
    assert torch.equal(result, model[0](images).relu()), "dropout is off"
    with observe(model, lambda name, module, inputs, output: one.append(name), layers=["1"], training=None):
        model(images)
        model(images)
    assert one == ["1", "1"]


def test_nothing_stays_also_after_an_error() -> None:
    model = network()
    with pytest.raises(ZeroDivisionError), observe(model, lambda name, module, inputs, output: 1 / 0):
        model(torch.zeros(1, 1, 3, 3))
    assert not any(module._forward_hooks for module in model.modules())
    assert all(module.training for module in model.modules())
