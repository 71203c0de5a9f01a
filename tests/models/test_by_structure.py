"""The oracle is the source itself: the weights are in their places where the logits are equal."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.models.by_structure import load_by_structure


class Theirs(nn.Module):
    """Registers its layers in another order than it calls them, and one that it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.aux = nn.Linear(4, 9)
        self.shortcut = nn.Conv2d(3, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.stem = nn.Conv2d(3, 4, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head((self.norm(self.stem(images)) + self.shortcut(images)).mean((2, 3)))


class Ours(nn.Module):
    def __init__(self, width: int = 4, classes: int = 2) -> None:
        super().__init__()
        self.body = nn.Sequential(OrderedDict(a=nn.Conv2d(3, width, 1), b=nn.BatchNorm2d(width)))
        self.path = nn.Conv2d(3, width, 1)
        self.end = nn.Linear(width, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.end((self.body(images) + self.path(images)).mean((2, 3)))


def test_layers_are_paired_in_the_order_in_which_they_are_called() -> None:
    ours, theirs = Ours().double().eval(), Theirs().double().eval()
    nn.init.normal_(theirs.norm.running_mean)
    paired = load_by_structure(ours, theirs, (3, 2, 2))
    assert set(paired) == set(ours.state_dict())
    assert paired["path.weight"] == "shortcut.weight"
    assert paired["body.b.running_mean"] == "norm.running_mean"
    images = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    assert torch.equal(ours(images), theirs(images))


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (
            Ours(width=5),
            r"differ at their layer 1: 'body.a' has weight \(5, 3, 1, 1\), bias \(5,\), 'stem' weight \(4, 3",
        ),
        (Ours(classes=3), r"layer 4: 'end' has weight \(3, 4\), bias \(3,\), 'head' weight \(2, 4\), bias \(2,\)"),
        (Ours().body, r"2 layers with weights and the source 4: 'shortcut' of the source \(weight \(4, 3, 1, 1\)"),
    ],
)
def test_what_is_not_one_to_one_is_told_and_nothing_is_loaded(ours: nn.Module, said: str) -> None:
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    with pytest.raises(RequestError, match=said):
        load_by_structure(ours, Theirs(), (3, 2, 2))
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())
