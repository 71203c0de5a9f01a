"""Which of a network's outputs holds the logits, and that taking it leaves the network alone."""

from collections import OrderedDict, namedtuple
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.network.outputs import chosen_output, with_logits

LOGITS = torch.randn(2, 5)
MAPS = torch.randn(2, 5, 4, 4)
Two = namedtuple("Two", ["aux", "main"])


@pytest.mark.parametrize(
    ("output", "path"),
    [
        (LOGITS, None),
        ((LOGITS, MAPS), 0),
        ([MAPS, LOGITS], 1),
        ((MAPS, None, "text", LOGITS), 3),
        ({"features": MAPS, "logits": LOGITS}, "logits"),
        (OrderedDict(aux=torch.randn(2, 5), out=LOGITS), "out"),
        ({"a": MAPS, "b": LOGITS}, "b"),
        (Two(MAPS, LOGITS), "main"),
        (SimpleNamespace(hidden=MAPS, logits=LOGITS), "logits"),
    ],
)
def test_the_logits_are_found(output: Any, path: str | int | None) -> None:
    chosen = chosen_output(output, None, 2, "net")
    assert chosen.path == path
    assert torch.equal(chosen.logits(output), LOGITS)
    assert (path is None) == (chosen.remark == "")


@pytest.mark.parametrize(
    ("output", "shape"), [(torch.zeros(2), (2, 1)), (torch.zeros(2, 5, 1, 1), (2, 5)), ((MAPS, torch.zeros(2)), (2, 1))]
)
def test_axes_of_length_one_are_taken_off(output: Any, shape: tuple[int, ...]) -> None:
    assert chosen_output(output, None, 2, "net").logits(output).shape == shape


@pytest.mark.parametrize(("wanted", "path"), [("aux", "aux"), ("main", "main")])
def test_a_person_chooses_by_name(wanted: str, path: str) -> None:
    assert chosen_output(Two(LOGITS + 1, LOGITS), wanted, 2, "net").path == path


def test_a_person_chooses_by_number() -> None:
    assert chosen_output((LOGITS, LOGITS + 1), "1", 2, "net").path == 1


@pytest.mark.parametrize(
    ("output", "wanted", "words"),
    [
        (MAPS, None, r"puts out \(2, 5, 4, 4\) for 2 images"),
        (torch.zeros(5), None, r"expected logits"),
        (torch.zeros(2, 5, dtype=torch.long), None, "expected logits"),
        ({}, None, "puts out nothing"),
        ([{"boxes": MAPS}] * 2, None, "puts out a list of dict with boxes, as detectors give them"),
        ({"maps": MAPS}, None, r"maps \(2, 5, 4, 4\)"),
        (None, None, "puts out NoneType"),
        (LOGITS, "logits", "puts out one tensor"),
        ({"logits": LOGITS}, "logit", "Did you mean 'logits'"),
        ((LOGITS, MAPS), "1", r"is \(2, 5, 4, 4\)"),
    ],
)
def test_what_holds_no_logits_is_refused(output: Any, wanted: str | None, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        chosen_output(output, wanted, 2, "net")


class Many(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 5)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"aux": images, "logits": self.last(images)}


def test_the_network_itself_stays_as_it_is() -> None:
    model, images = Many(), torch.randn(2, 3)
    chosen = chosen_output(model(images), None, 2, "net")
    twin = with_logits(model, chosen)
    assert torch.equal(twin(images), model(images)["logits"])
    assert isinstance(model(images), dict)
    assert not model._forward_hooks
    assert [name for name, _ in twin.named_modules()] == [name for name, _ in model.named_modules()]
    assert twin.last is model.last
    assert twin.state_dict().keys() == model.state_dict().keys()
    handle = model.register_forward_hook(lambda *given: None)
    assert len(twin._forward_hooks) == 1
    handle.remove()
    assert torch.equal(twin(images), model(images)["logits"])
