"""The oracle is the source itself: the weights are in their places where the logits are equal."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from random import Random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


WIDTH = 4
OTHER = {"conv3": "conv1", "conv1": "norm", "depthwise": "conv3", "norm": "scale", "scale": "depthwise"}
"""For each kind of layer another one."""


@dataclass(frozen=True)
class Part:
    """A piece of a network of 4 channels: a kind of layer, or parts in a row or side by side and summed."""

    kind: str
    parts: tuple["Part", ...] = ()
    activation: str = "relu"


def a_network(random: Random, depth: int = 3) -> Part:
    """Any network: rows of layers, sums of two or three rows, the empty one among them."""
    rows = [
        Part(random.choice(["conv3", "conv1", "conv1", "depthwise", "norm", "scale"]))
        for _ in range(random.randint(1, 3))
    ]
    if depth:
        branches = tuple(a_network(random, depth - 1) for _ in range(random.randint(1, 2)))
        rows.insert(random.randint(0, len(rows)), Part("sum", (*branches, Part("row"))))
    return Part("row", tuple(rows))


class Listed(nn.Module):
    """A part as a list of layers: every layer a module with its weights, branches in the order of the parts."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part = part
        self.inner = nn.ModuleList(map(type(self), part.parts))
        self.make()

    def make(self) -> None:
        kind = self.part.kind
        if kind in ("conv1", "conv3", "depthwise"):
            kernel, groups = (1 if kind == "conv1" else 3), (WIDTH if kind == "depthwise" else 1)
            self.layer = nn.Conv2d(WIDTH, WIDTH, kernel, padding=kernel // 2, groups=groups)
        elif kind == "norm":
            self.layer = nn.BatchNorm2d(WIDTH)
        elif kind == "scale":
            self.weight = nn.Parameter(torch.rand(WIDTH))

    def forward(self, images: Tensor) -> Tensor:
        if self.part.kind == "row":
            for inner in self.inner:
                images = inner(images)
            return images
        if self.part.kind == "sum":
            return torch.stack(self.branches(images)).sum(0)
        after = getattr(F, self.part.activation)
        return after(images * self.weight[:, None, None] if self.part.kind == "scale" else self.layer(images))

    def branches(self, images: Tensor) -> list[Tensor]:
        return [inner(images) for inner in self.inner]


class Written(Listed):
    """The same as a class would have it: branches in reverse, pixelwise maps as `Linear`, scales with axes of one."""

    def make(self) -> None:
        super().make()
        if self.part.kind == "conv1":
            self.layer = nn.Linear(WIDTH, WIDTH)
        elif self.part.kind == "scale":
            self.gamma = nn.Parameter(torch.rand(WIDTH, 1, 1))
            del self.weight

    def forward(self, images: Tensor) -> Tensor:
        after = getattr(F, self.part.activation)
        if self.part.kind == "conv1":
            return after(self.layer(images.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        if self.part.kind == "scale":
            return after(images.mul(self.gamma))
        return super().forward(images)

    def branches(self, images: Tensor) -> list[Tensor]:
        return [inner(images) for inner in reversed(self.inner)]


def with_statistics(model: nn.Module) -> nn.Module:
    for tensor in model.buffers():
        if tensor.dtype.is_floating_point:
            nn.init.uniform_(tensor, 0.5, 1.5)
    return model.double().eval()


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_order_of_branches_and_the_form_of_layers_the_outputs_are_equal(seed: int) -> None:
    network = a_network(Random(seed))
    ours, theirs = Listed(network).double().eval(), with_statistics(Written(network))
    paired = load_by_structure(ours, theirs, (WIDTH, 5, 5))
    assert set(paired) == set(ours.state_dict())
    assert set(paired.values()) == set(theirs.state_dict())
    images = torch.randn(2, WIDTH, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-10, atol=1e-12)


def changed(part: Part, random: Random) -> Part:
    """The network with one layer of another kind, or another activation after it."""
    if not part.parts:
        kind = {"conv3": "conv1", "conv1": "norm", "depthwise": "conv3", "norm": "scale", "scale": "depthwise"}[
            part.kind
        ]
        return replace(part, kind=kind) if random.random() < 0.5 else replace(part, activation="gelu")
    index = random.choice([index for index, inner in enumerate(part.parts) if inner.kind != "row" or inner.parts])
    inner = changed(part.parts[index], random)
    return replace(part, parts=(*part.parts[:index], inner, *part.parts[index + 1 :]))


@pytest.mark.parametrize("seed", range(20))
def test_a_network_with_one_layer_changed_is_refused_and_left_as_it_was(seed: int) -> None:
    network = a_network(Random(seed))
    ours, theirs = Listed(changed(network, Random(seed))).double().eval(), with_statistics(Written(network))
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    with pytest.raises(RequestError, match=r"differ|has no partner|joined otherwise"):
        load_by_structure(ours, theirs, (WIDTH, 5, 5))
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())


def test_twins_that_run_in_another_order_are_refused_where_the_order_matters() -> None:
    class Twins(nn.Module):
        def __init__(self, order: tuple[int, int]) -> None:
            super().__init__()
            self.order = order
            self.twins = nn.ModuleList([nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)])

        def forward(self, images: Tensor) -> Tensor:
            outputs = {index: self.twins[index](images) for index in self.order}
            return torch.cat([outputs[0], outputs[1]], dim=1)

    theirs = Twins((0, 1)).double()
    assert load_by_structure(Twins((0, 1)).double(), theirs, (3, 2, 2))["twins.1.bias"] == "twins.1.bias"
    with pytest.raises(RequestError, match="the networks' outputs differ"):
        load_by_structure(Twins((1, 0)).double(), theirs, (3, 2, 2))


def test_the_same_layers_joined_otherwise_are_told_with_what_they_follow() -> None:
    class Joined(nn.Module):
        def __init__(self, beside: bool) -> None:
            super().__init__()
            self.beside, self.one, self.two = beside, nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, images: Tensor) -> Tensor:
            return self.one(images) + self.two(images if self.beside else self.one(images))

    said = r"joined otherwise: 'one' \(weight \(3, 3, 1, 1\), bias \(3,\)\) follows the image"
    with pytest.raises(RequestError, match=said):
        load_by_structure(Joined(True), Joined(False), (3, 2, 2))


def test_layers_of_the_same_shapes_that_are_used_otherwise_are_no_partners() -> None:
    class PerPixel(nn.LayerNorm):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    said = r"'0' has weight \(4,\), bias \(4,\) \(used by 'group_norm'\), '0' weight .* \(used by 'layer_norm'\)"
    with pytest.raises(RequestError, match=said):
        load_by_structure(nn.Sequential(nn.GroupNorm(1, 4)), nn.Sequential(PerPixel(4)), (4, 2, 2))
    other = nn.Sequential(nn.GroupNorm(2, 4))
    with pytest.raises(RequestError, match=r"root mean square|outputs differ"):
        load_by_structure(nn.Sequential(nn.GroupNorm(1, 4)), other, (4, 2, 2))
