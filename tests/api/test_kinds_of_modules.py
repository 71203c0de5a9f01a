"""What modules that something was done to get: the table of docs/python.md."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import cnnlab

PIXELS = np.zeros((16, 16, 3), np.uint8)

LOOKED_AT: dict[str, Callable[[nn.Module], nn.Module]] = {
    "compiled": lambda module: torch.compile(module),  # type: ignore[arg-type, return-value]
    "DataParallel": nn.DataParallel,
    "half": lambda module: module.half(),
}
SCRIPTED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "torch.jit.script": torch.jit.script,
    "torch.jit.trace": lambda module: torch.jit.trace(module, torch.rand(1, 3, 16, 16)),
}


@pytest.mark.parametrize("kind", LOOKED_AT)
def test_wrapped_and_half_modules_are_looked_at(kind: str, module: nn.Module) -> None:
    given = LOOKED_AT[kind](module.eval())
    net = cnnlab.open(given, size=16)
    assert net.explain(PIXELS, methods="gradcam").maps["gradcam"].shape[:2] == (1, 1)
    assert net.summary().parameters == sum(parameter.numel() for parameter in module.parameters())
    assert next(net.model.parameters()).dtype is torch.float32
    assert any("a copy in float32" in remark for remark in net.remarks) == (kind == "half")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", SCRIPTED)
def test_scripted_modules_have_pixels_and_no_layers(kind: str, module: nn.Module) -> None:
    net = cnnlab.open(SCRIPTED[kind](module.eval()), size=16)
    assert len(net.predict(PIXELS)) == 1
    assert net.explain(PIXELS, methods="gradient").maps["gradient"].shape == (1, 1, 16, 16)
    with pytest.raises(cnnlab.RequestError, match=f"compiled by {kind}"):
        net.summary()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3)).to("meta"), "on the meta device"),
        (nn.Sequential(nn.LazyConv2d(4, 3)), "has no parameters yet: run the network on an image first"),
    ],
)
def test_modules_without_values_are_refused(module: nn.Module, words: str) -> None:
    with pytest.raises(cnnlab.RequestError, match=words):
        cnnlab.open(module, size=16)
