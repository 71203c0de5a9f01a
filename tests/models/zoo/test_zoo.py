"""The networks of configs/zoo/; the oracle is torchvision's network with its weights in ours."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from architectures.facts import FILES, ZOO, costs_of, counts_of, field_of, shape_of, zoo_network
from torch import nn
from torchvision import models

from cnnlab.models.by_structure import load_by_structure

Theirs = Callable[[], nn.Module]


def _with_head(model: nn.Module, features: int) -> nn.Module:
    """A VGG or an AlexNet for small images: nothing pooled before the head, and 16 features in it instead of 4,096."""
    model.avgpool = nn.Identity()
    relu, dropout = nn.ReLU(), nn.Dropout()
    model.classifier = nn.Sequential(
        nn.Linear(features, 16), relu, dropout, nn.Linear(16, 16), relu, dropout, nn.Linear(16, 10)
    )
    return model


SMALL_DENSE = ("blocks.dense.layers.0.linear.features=16",)
SMALL_HEAD = ("model.15.linear.features=16", "model.18.linear.features=16")

COUNTERPARTS: dict[str, tuple[Theirs, int, tuple[str, ...]]] = {
    "resnet18": (lambda: models.resnet18(num_classes=10), 32, ()),
    "resnet34": (lambda: models.resnet34(num_classes=10), 32, ()),
    "resnet50": (lambda: models.resnet50(num_classes=10), 32, ()),
    "densenet121": (lambda: models.densenet121(num_classes=10), 32, ()),
    "googlenet": (
        lambda: models.googlenet(num_classes=10, aux_logits=False, init_weights=False),
        45,
        (),
    ),
    "alexnet": (lambda: _with_head(models.alexnet(), 256), 64, SMALL_HEAD),
    "vgg11": (lambda: _with_head(models.vgg11(init_weights=False), 512), 32, SMALL_DENSE),
    "vgg16": (lambda: _with_head(models.vgg16(init_weights=False), 512), 32, SMALL_DENSE),
    "vgg11-bn": (lambda: _with_head(models.vgg11_bn(init_weights=False), 512), 32, SMALL_DENSE),
    "vgg16-bn": (lambda: _with_head(models.vgg16_bn(init_weights=False), 512), 32, SMALL_DENSE),
}
"""By the file's name: torchvision's network for 10 classes, a size of image in pixels, and changes of the config."""


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_torchvisions_weights_give_torchvisions_logits(name: str) -> None:
    make, size, changes = COUNTERPARTS[name]
    theirs = make().double().eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, std=0.1)
    ours = zoo_network(ZOO / f"{name}.yaml", size=size, changes=changes).double()
    paired = load_by_structure(ours, theirs, (3, size, size))
    assert set(paired) == set(ours.state_dict())
    images = torch.randn(1, 3, size, size, dtype=torch.float64)
    with torch.no_grad():
        logits = theirs(images)
        assert (ours(images) - logits).abs().max() <= 1e-10 * max(1.0, logits.abs().max().item())
    assert logits.std() > 1e-3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_header_says_what_the_network_costs(path: Path) -> None:
    parameters, macs, _, classes = counts_of(path)
    assert costs_of(zoo_network(path, classes=classes, device="meta"), shape_of(path)) == (parameters, macs)


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_it_costs_what_torchvisions_does(name: str) -> None:
    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        theirs = models.get_model(name.replace("-", "_"), **options).eval()
    assert costs_of(theirs, (3, 224, 224)) == counts_of(ZOO / f"{name}.yaml")[:2]


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg11", "resnet18-cifar"])
def test_the_header_says_what_the_network_sees(name: str) -> None:
    path = ZOO / f"{name}.yaml"
    assert field_of(zoo_network(path, device="meta"), shape_of(path)) == counts_of(path)[2]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_learns_for_two_steps(path: Path) -> None:
    channels, side, _ = shape_of(path)
    _, size, changes = COUNTERPARTS.get(path.stem, (None, min(side, 32), ()))
    network = zoo_network(path, size=size, changes=changes).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(torch.randn(2, channels, size, size)), torch.tensor([0, 1]))
        loss.backward()
        optimizer.step()
    assert loss.isfinite()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.dim() > 1]
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)
