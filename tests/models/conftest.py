from collections.abc import Callable

import pytest
import torch
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.registry import component
from cnnlab.models.build import sequence
from cnnlab.models.catalog import LAYERS as _LAYERS  # noqa: F401  registers the layers

OneLayer = Callable[..., tuple[nn.Module, Shape]]


@pytest.fixture(scope="session")
def one_layer() -> OneLayer:
    """(name, shape, **options) → the layer, built alone, and its output shape."""

    def build_one(name: str, shape: Shape, /, *, classes: int = 10, **options: object) -> tuple[nn.Module, Shape]:
        built, output = sequence([component("layer", name, **options)], shape, classes=classes)
        return built[0], output

    return build_one


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
