"""`cnnlab.compare` is what `cnnlab compare` tells, of networks in hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Trained
from numpy.typing import NDArray
from torch import nn

import cnnlab

Pixels = NDArray[np.uint8]
CLASSES = ("cat", "dog", "cow")


def images(count: int) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (count, 16, 20, 3), dtype=np.uint8)


def test_it_tells_what_evaluate_tells_of_each(module: nn.Module) -> None:
    """Of networks that take the same images in two sizes, with their classes in two orders."""
    torch.manual_seed(0)
    other = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    nets = [
        cnnlab.open(module, size=16, classes=CLASSES, mean=0.5, std=0.25),
        cnnlab.open(other, size=(3, 8, 8), classes=CLASSES[::-1], fit="letterbox"),
    ]
    data = (images(30), list(CLASSES) * 10)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    found = cnnlab.compare(nets, data=data)
    assert found.accuracies == {f"Sequential ({n})": net.evaluate(data).accuracy for n, net in enumerate(nets, 1)}
    ((difference, low, high),) = found.differences.values()
    first, second = found.accuracies.values()
    assert difference == pytest.approx(second - first)
    assert low <= difference <= high
    assert list(found.p_values) == [("Sequential (1)", "Sequential (2)")]
    assert module.training
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_of_a_run_its_own_images_are_taken(trained: Trained, tmp_path: Path) -> None:
    run = cnnlab.open(trained.run, device="cpu")
    torch.manual_seed(0)
    module = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 10))
    net = cnnlab.open(module, size=24, mean=0.5, std=0.25)
    found = cnnlab.compare([net, run])
    assert found.accuracies[run.name] == run.evaluate().accuracy
    assert found.facts.n == 20
    page = found.save(tmp_path / "compared")
    assert (page.parent / "facts.json").is_file()
    assert "Sequential" in page.read_text()
    assert found.to_dict()["networks"][1]["learned_from"] == 0
    assert repr(found).startswith("Comparison of Sequential and tiny on validation")


def test_what_cannot_be_compared_is_refused(module: nn.Module) -> None:
    net = cnnlab.open(module, size=16, classes=CLASSES, mean=0.5, std=0.25)
    other = cnnlab.open(nn.Sequential(nn.Flatten(), nn.Linear(768, 2)), size=(3, 16, 16), classes="a,b")
    data = (images(3), CLASSES)
    with pytest.raises(cnnlab.RequestError, match="compares with nothing"):
        cnnlab.compare([net], data=data)
    with pytest.raises(cnnlab.RequestError, match="compares with nothing"):
        cnnlab.compare([])
    with pytest.raises(cnnlab.RequestError, match="of the same classes can be compared"):
        cnnlab.compare([net, other])
    with pytest.raises(cnnlab.RequestError, match=r"has images of its own; name a folder.* with `data`"):
        cnnlab.compare([net, net])
    for one in (net, module, "net.py:build", {"first": net, "second": net}, 5):
        with pytest.raises(cnnlab.RequestError, match=r"`networks` is one .*, expected a list"):
            cnnlab.compare(one)  # type: ignore[arg-type]
    for wrong in ({"split": "dev"}, {"pairs": "last"}, {"max_batch": 0}):
        (name,) = wrong
        with pytest.raises(cnnlab.RequestError, match=f"`{name}` is "):
            cnnlab.compare([net, net], data=data, **wrong)  # type: ignore[arg-type]
