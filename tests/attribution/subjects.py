"""Networks that attributions are tried on: a global-average head, a flattened one, a ResNet of torchvision's."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

CLASSES = 5


def gap(*, seed: int = 0, inplace: bool = False, classes: int = CLASSES) -> nn.Sequential:
    """conv, batch norm, ReLU, max pool, conv, ReLU (12 × 8 × 8 for 16 pixels), global average, linear."""
    return _filled(
        seed,
        lambda: OrderedDict(
            conv1=nn.Conv2d(3, 8, 3, padding=1),
            norm1=nn.BatchNorm2d(8),
            relu1=nn.ReLU(inplace=inplace),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(8, 12, 3, padding=1),
            relu2=nn.ReLU(inplace=inplace),
            pool2=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            linear=nn.Linear(12, classes),
        ),
    )


def flat(*, seed: int = 0, inplace: bool = False, hidden: bool = True) -> nn.Sequential:
    """As `gap` up to relu2, then max pool, flatten and two dense layers (one with `hidden=False`)."""
    size = 12 * 4 * 4
    head = (
        {"linear1": nn.Linear(size, 16), "relu3": nn.ReLU(inplace=inplace), "linear2": nn.Linear(16, CLASSES)}
        if hidden
        else {"linear": nn.Linear(size, CLASSES)}
    )
    return _filled(
        seed,
        lambda: OrderedDict(
            conv1=nn.Conv2d(3, 8, 3, padding=1),
            norm1=nn.BatchNorm2d(8),
            relu1=nn.ReLU(inplace=inplace),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(8, 12, 3, padding=1),
            relu2=nn.ReLU(inplace=inplace),
            pool2=nn.AvgPool2d(2) if not hidden else nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            **head,
        ),
    )


def resnet10() -> nn.Module:
    """A block a stage, random weights and statistics, for images of 48 pixels: layer4 puts out 512 × 2 × 2."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return _varied(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=CLASSES)).eval()


def some_images(n: int = 4, size: int = 16, *, seed: int = 0) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


SUBJECTS = {
    "gap": (gap, "relu2", 16),
    "flat": (flat, "relu2", 16),
    "resnet10": (resnet10, "layer4", 48),
}
"""Name: how to make it, the layer to look at, the side of its images."""


def subject(name: str) -> tuple[nn.Module, str, Tensor, Tensor]:
    """The network in evaluation mode, its layer, images and a class for each; in float64.

    Two libraries run a network in two memory layouts, each with a convolution of its own: in float32 they differ by
    what the processor's instructions round, up to 2e-5 of the largest value on one that has AVX2 alone.
    """
    make, layer, size = SUBJECTS[name]
    images = some_images(3, size).double()
    return make().eval().double(), layer, images, torch.tensor([0, 3, 1])


def _filled(seed, layers):  # type: ignore[no-untyped-def]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(layers())
        for part in network:
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
        return _varied(network)


def _varied(network: nn.Module) -> nn.Module:
    """Statistics and biases that are not the trivial ones."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean = torch.randn_like(part.running_mean) / 4
            part.running_var = torch.rand_like(part.running_var) + 0.5
            nn.init.normal_(part.bias, std=0.3)
    return network


FEW: dict[str, dict[str, Any]] = {
    "integrated_gradients": {"steps": 4},
    "smoothgrad": {"samples": 3},
    "rise": {"masks": 10},
    "occlusion": {"window": 6, "stride": 5},
}
"""Options that make a method quick; of the others the defaults are."""


def quick(names: Iterable[str]) -> list[dict[str, dict[str, Any]]]:
    """The methods of these names, with `FEW` of what they repeat."""
    return [{name: FEW.get(name, {})} for name in names]
