"""A user's own network as it is looked at: in float32, with its twins, and its probabilities worked back to logits."""

from pathlib import Path

import pytest
import torch
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.models.own import own_network
from cnnlab.network.open import open_network
from cnnlab.network.own import own_module
from cnnlab.network.session import Session
from cnnlab.walk.costs import axes_of

CODE = """
import warnings
from torch import nn
def net(norm=False, kind="half"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = nn.utils.weight_norm(nn.Conv2d(3, 4, 3)) if norm else nn.Conv2d(3, 4, 3)
    made = nn.Sequential(first, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return getattr(made, kind)()
READY = net(norm=True)
class Words(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv1d(5, 4, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize("call", ["net", "net(norm=True)", "net(kind='double')", "net(kind='bfloat16')"])
def test_a_network_in_another_precision_and_its_twins_are_in_float32(file: Path, call: str) -> None:
    made = own_module(own_network(f"{file}:{call}"), shape=None, classes=None)
    assert made.fresh is not None
    for network in (made.model, made.fresh(3)):
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
        assert network(torch.zeros(1, 3, 8, 8)).shape == (1, 3)
    assert "float32 is looked at" in made.remark


def test_what_cannot_be_copied_is_refused_with_the_way_out(file: Path) -> None:
    with pytest.raises(RequestError, match=r"cannot be copied .* name a class or a function"):
        own_module(own_network(f"{file}:READY"), shape=None, classes=None)


@pytest.mark.parametrize("size", ["5,40", "3,8,8"])
def test_images_of_another_number_of_axes_are_refused(file: Path, size: str) -> None:
    with pytest.raises(RequestError, match="cannot run on"):
        open_network(f"{file}:Words", Session(device_name="cpu"), size=size, for_images=True, any_channels=True)
    assert axes_of(nn.Conv1d(5, 4, 3), (1, 5, 5, 40)) == ()
