"""A small module of one's own, and images for it."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn


@pytest.fixture
def module() -> nn.Module:
    """In training mode, with a frozen layer, a hook and gradients, as in the middle of somebody's training."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(8, 3),
        )  # fmt: skip
        made[1].requires_grad_(False)
        made[3].eval()
        made(torch.rand(2, 3, 16, 16)).sum().backward()
    return made


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
