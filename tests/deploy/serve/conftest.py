"""A tiny network on its page, its class names full of HTML, and the training images that it is beside."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from networks import small
from numpy.typing import NDArray

import cnnlab
from cnnlab.api.opened import OpenedNetwork
from cnnlab.deploy.serve.run import ServedPage

CLASSES = ("<b>bold</b>", '"><img src=x onerror=alert(1)>', "cat & dog", "é")

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def images() -> Pixels:
    """Twelve training images of 16 × 16 px."""
    return np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def net() -> OpenedNetwork:
    return cnnlab.open(small(seed=1), size=16, classes=CLASSES, device="cpu")


@pytest.fixture(scope="module")
def page(net: OpenedNetwork, images: Pixels) -> Iterator[ServedPage]:
    """The page, which the tests of a module share."""
    with net.serve((images, torch.arange(12) % 4), nearest=3, top=2) as found:
        yield found
