"""Why weights do not fit, in lines: names beside the nearest, shapes of both, and whose network they are of."""

import pytest
import torch
from torch import nn
from torchvision import models

from cnnlab.network.weights.expected import Expected
from cnnlab.network.weights.guess import known_network
from cnnlab.network.weights.match import nearest
from cnnlab.network.weights.mismatch import mismatch
from cnnlab.network.weights.tensors import tensors_of


def _told(content: object, model: nn.Module) -> tuple[str, ...]:
    return mismatch(nearest(tensors_of(content), Expected.by(model))).lines


def _network(classes: int = 3, width: int = 4) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.Linear(width, classes))


def test_other_classes_alone_are_told_as_such() -> None:
    [line] = _told({"model": {f"module.{n}": one for n, one in _network(7).state_dict().items()}}, _network(3))
    assert line == (
        "is for 7 classes, and the network has 3 (3.weight is [7, 4] in the file, [3, 4] in the network); all else "
        "fits. Open the network with as many: `classes` 7, or, for a module of your own, by its argument, such as "
        "net.py:build(num_classes=7)"
    )
    [alone] = _told(nn.Linear(4, 7).state_dict(), nn.Linear(4, 3))
    assert alone.startswith("is for 7 classes, and the network has 3 (weight is [7, 4] in the file, ")
    wider = _told(_network(3, width=8).state_dict(), _network(3))
    assert "classes" not in wider[0]
    assert wider[0] == "does not fit the network: 7 have another shape"
    assert "another shape: 3.weight is [3, 8] in the file, [3, 4] in the network" in wider


def test_names_stand_beside_the_nearest_with_both_shapes() -> None:
    state = {name.replace("0.weight", "0.weights"): one for name, one in _network().state_dict().items()}
    assert _told({"state_dict": state}, _network()) == (
        "does not fit the network under state_dict: 1 of the network's 9 tensors are missing in it, "
        "1 of its 9 are unexpected",
        "missing: 0.weight [4, 3, 3, 3]; nearest in the file: 0.weights [4, 3, 3, 3]",
        "unexpected: 0.weights [4, 3, 3, 3]; nearest in the network: 0.weight [4, 3, 3, 3]",
    )


def test_of_many_the_first_eight_are_shown() -> None:
    own = nn.Sequential(*(nn.Linear(1, 1) for _ in range(12)))
    lines = _told(own[:2].state_dict(), own)
    assert len(lines) == 10
    assert lines[0] == "does not fit the network: 20 of the network's 24 tensors are missing in it"
    assert lines[-1] == "and 12 more missing"


def test_a_file_of_another_network_is_told_as_such() -> None:
    [line] = _told({"a.w": torch.ones(1), "\x1b[2J": torch.ones(1)}, nn.Linear(2, 2))
    assert line.startswith(r"is of another network: of its 2 tensors (a.w, \x1b[2J) none has a name of the")
    assert _told({"a": torch.ones(1)}, nn.ReLU()) == (
        "the network has neither parameters nor buffers, so no file of weights is for it",
    )


@pytest.mark.parametrize("name", ["resnet34", "vgg11_bn", "mobilenet_v3_small", "squeezenet1_0", "mnasnet0_5"])
def test_torchvisions_networks_are_known_with_any_number_of_classes(name: str) -> None:
    state = models.get_model(name, weights=None, num_classes=5).state_dict()
    shapes = {one: tuple(tensor.shape) for one, tensor in state.items()}
    assert known_network(shapes) == f"; its tensors are those of torchvision:{name}"
    shapes["more.weight"] = (1,)
    assert name not in known_network(shapes)


def test_names_of_other_libraries_are_known_by_one_of_them() -> None:
    assert (
        known_network({"patch_embed.proj.weight": (1,)}) == "; its names look like those of timm's vision transformers"
    )
    assert known_network({"a.weight": (1,)}) == ""


def test_another_networks_weights_say_whose_they_are() -> None:
    lines = _told(models.resnet34().state_dict(), models.resnet18())
    assert lines[0].endswith("unexpected; its tensors are those of torchvision:resnet34")
