"""Every interval of fourteen of torchvision's networks, compared with the NaN probe of the unmodified network."""

import warnings

import pytest
import torch
import torchvision
from torch import nn

from cnnlab.receptive_field.probe import verification
from cnnlab.walk.walker import walked

NETWORKS = {
    "alexnet": 63, "convnext_tiny": 32, "densenet121": 32, "efficientnet_b0": 32, "googlenet": 32, "inception_v3": 75,
    "mobilenet_v2": 32, "mobilenet_v3_small": 32, "regnet_y_400mf": 32, "resnet18": 40, "resnet50": 32,
    "shufflenet_v2_x1_0": 32, "squeezenet1_1": 40, "swin_t": 32,
}  # fmt: skip
"""With a size of image at which each runs; the smaller, the sooner all thresholds have been tried."""

TWICE = {"inception_v3": ("Mixed_5d", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7c")}
"""Blocks that stand there once more, of the same layers; they take half of the time, and are left out."""


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_no_interval_is_wrong(name: str) -> None:
    size = NETWORKS[name]
    options = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        model = torchvision.models.get_model(name, weights=None, **options)
    for block in TWICE.get(name, ()):
        setattr(model, block, nn.Identity())
    found = walked(model, (3, size, size))
    assert found.failure is None
    assert not found.unknown
    *_, proof = verification(model, found)
    assert proof.mismatches == ()
    assert proof.proven
    assert proof.wide == 0
    assert proof.compared > 50_000
