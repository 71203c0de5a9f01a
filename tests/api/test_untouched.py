"""Whatever is asked, and whatever fails: the module and the process are as before."""

import logging
import os
import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import cnnlab
from cnnlab.api.opened import OpenedNetwork

Pixels = NDArray[np.uint8]


def labelled(image: Pixels) -> Any:
    """Images with the names of their classes."""
    return [image, image[::-1], image[:, ::-1], 255 - image], ["cat", "dog", "cow", "cat"]


QUESTIONS: dict[str, Callable[[OpenedNetwork, Pixels], Any]] = {
    "predict": lambda net, image: net.predict(image),
    "explain": lambda net, image: net.explain(image, methods=["gradcam", "smoothgrad:samples=2", "rise:masks=8"]),
    "explain measured": lambda net, image: net.explain(image, methods="gradcam", metrics=True),
    "explain smoothed": lambda net, image: net.explain(image, methods="gradcam", smooth="aug"),
    "receptive_fields": lambda net, image: net.receptive_fields(verify=True, what_if="0.stride=2", claims="0.size>=3"),
    "effective field": lambda net, image: net.receptive_fields(effective=2, repairs=False),
    "summary": lambda net, image: net.summary(explain=True),
    "filters": lambda net, image: net.filters(random=2),
    "features": lambda net, image: net.features([image, image]),
    "dream": lambda net, image: net.dream(classes="cat", steps=2),
    "check": lambda net, image: net.check(),
    "evaluate": lambda net, image: net.evaluate(labelled(image)),
    "sanity": lambda net, image: net.sanity(labelled(image), methods="gradcam", depths=2),
    "audit": lambda net, image: net.audit(labelled(image)),
    "patches": lambda net, image: net.patches(labelled(image), layer="4", top=2),
    "embedding": lambda net, image: net.embedding(labelled(image)),
    "equivariance": lambda net, image: net.equivariance(count=2, shifts=1),
    "position": lambda net, image: net.position(count=4),
    "shift": lambda net, image: net.shift(labelled(image), max_shift=1, what_if="padding=circular"),
}
WRONG: dict[str, Callable[[OpenedNetwork, Pixels], Any]] = {
    "predict": lambda net, image: net.predict(image / 255),
    "explain": lambda net, image: net.explain(image, methods="gradcan"),
    "a class": lambda net, image: net.explain(image, target="horse"),
    "receptive_fields": lambda net, image: net.receptive_fields(layer="nowhere"),
    "filters": lambda net, image: net.filters(layer="9"),
    "features": lambda net, image: net.features(image, channels=99),
    "dream": lambda net, image: net.dream(classes="cat", layer="0", channels=1),
    "evaluate": lambda net, image: net.evaluate(),
    "labels": lambda net, image: net.evaluate((image, ["horse"])),
    "sanity": lambda net, image: net.sanity(labelled(image), methods="gradcan"),
    "audit": lambda net, image: net.audit(labelled(image), min_inside=0.5),
    "patches": lambda net, image: net.patches(labelled(image), layer="nowhere"),
    "a part": lambda net, image: net.embedding(labelled(image), split="test"),  # type: ignore[arg-type]
}


def process() -> dict[str, Any]:
    """What others share with us."""
    return {
        "torch": torch.random.get_rng_state().tolist(),
        "random": random.getstate(),
        "numpy": str(np.random.get_state()),
        "threads of torch": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "type": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "filters": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "matplotlib": (matplotlib.get_backend(), dict(matplotlib.rcParams)),
        "streams": (sys.stdout, sys.stderr, sys.excepthook),
        "logging": (logging.getLogger().level, list(logging.getLogger().handlers)),
        "folder": os.getcwd(),
        "errors of numpy": np.geterr(),
    }


def state(module: nn.Module) -> list[Any]:
    """What is in a module: modes, flags, hooks, values and gradients, and which tensors hold them."""
    found: list[Any] = []
    for name, one in module.named_modules():
        found += [name, one.training, list(one._forward_hooks), list(one._forward_pre_hooks), list(one._backward_hooks)]
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        grad = None if tensor.grad is None else tensor.grad.tolist()
        found += [name, id(tensor), tensor.device, tensor.dtype, tensor.requires_grad, tensor.tolist(), grad]
    return found


def check_same(module: nn.Module, before: tuple[list[Any], dict[str, Any]]) -> None:
    after = process()
    assert [name for name, value in before[1].items() if value != after[name]] == []
    assert state(module) == before[0]


def asked(module: nn.Module) -> OpenedNetwork:
    return cnnlab.open(module, size=16, classes=["cat", "dog", "cow"], mean=0.5, std=0.25)


def test_opening_changes_nothing(module: nn.Module) -> None:
    before = state(module), process()
    asked(module)
    check_same(module, before)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_changes_nothing(question: str, module: nn.Module, image: Pixels) -> None:
    module[5].register_forward_hook(lambda *_: None)
    net = asked(module)
    kept = image.copy()
    before = state(module), process()
    result = QUESTIONS[question](net, image)
    check_same(module, before)
    result._repr_mimebundle_()
    check_same(module, before)
    assert np.array_equal(image, kept)


@pytest.mark.parametrize("question", WRONG)
def test_a_wrong_question_changes_nothing(question: str, module: nn.Module, image: Pixels) -> None:
    net = asked(module)
    before = state(module), process()
    with pytest.raises(cnnlab.RequestError):
        WRONG[question](net, image)
    check_same(module, before)


class Fails(nn.Module):
    """A layer that draws, changes a mode and then fails, once it is told to."""

    told = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.told:
            self.train()
            random.random()
            np.random.rand()
            torch.rand(1)
            warnings.simplefilter("ignore")
            raise ValueError("no more")
        return x


@pytest.mark.parametrize("question", ["predict", "explain", "features", "receptive_fields"])
def test_a_network_that_fails_leaves_nothing_behind(question: str, module: nn.Module, image: Pixels) -> None:
    failing = Fails()
    net = asked(nn.Sequential(module, failing))
    failing.told = True
    before = state(module), process()
    with pytest.raises(cnnlab.RequestError, match=r"Fails.*no more"):
        QUESTIONS[question](net, image)
    check_same(module, before)


def test_the_same_question_has_the_same_answer(module: nn.Module, image: Pixels) -> None:
    net = asked(module)
    methods = ["rise:masks=16", "smoothgrad:samples=3"]
    first = net.explain(image, methods=methods).maps
    torch.rand(3)
    second = net.explain(image, methods=methods).maps
    assert all(torch.equal(first[name], second[name]) for name in methods_of(methods))


def methods_of(methods: list[str]) -> list[str]:
    return [method.partition(":")[0] for method in methods]
