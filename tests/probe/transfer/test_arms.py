"""Which layers are the first ones, by name, and which depths are taken where none are named."""

import pytest
from torch import nn
from torchvision.models import resnet18

from cnnlab.core.errors import RequestError
from cnnlab.fit.freezing import Freezing
from cnnlab.probe.transfer.arms import arms_of, first_layers


def chain(count: int) -> nn.Module:
    """`count` convolutions, each with a norm, and a head."""
    layers = [nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU()) for _ in range(count)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))


def test_a_third_and_two_thirds_are_frozen_by_default() -> None:
    assert [arm.frozen for arm in arms_of(chain(6))] == [None, 0, 2, 4, 6]
    assert [arm.frozen for arm in arms_of(chain(1))] == [None, 0, 1]
    assert [arm.words for arm in arms_of(chain(3))][2:] == ["1 layer frozen", "2 layers frozen", "head only"]


def test_names_are_of_the_largest_modules_that_hold_nothing_else() -> None:
    assert first_layers(chain(2), 1) == ("0",)
    model = resnet18()
    assert first_layers(model, 1) == ("conv1", "bn1")
    patterns = first_layers(model, 3)
    assert patterns == ("conv1", "bn1", "layer1")
    frozen = Freezing(model, patterns, {}, statistics=True).until
    assert {name.split(".")[0] for name in frozen} == {"conv1", "bn1", "layer1"}
    assert set(first_layers(model, 9)) == {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"}


@pytest.mark.parametrize("frozen", [[0], [3], [2, 1], [1, 1]])
def test_depths_that_are_none_in_between_are_refused(frozen: list[int]) -> None:
    with pytest.raises(RequestError, match=r"`freeze` is .* from 1 to 2, .* 3 layers with weights below its head"):
        arms_of(chain(3), frozen)
