"""Every classification network of torchvision: costs against its published numbers, and rows against totals."""

import warnings
from unittest.mock import patch

import pytest
import torch
from torch import nn
from torchvision import models
from walk.test_costs import check_sums

from cnnlab.walk.costs import layer_costs
from cnnlab.walk.walker import walk

PARAMETERS_DIFFER = {"googlenet": "its published 6,624,904 leave out the auxiliary classifiers, which it is built with"}


def built(name: str, size: int) -> nn.Module:
    """For images of `size` without values; a RegNet, which computes its widths as tensors, with those of raw memory."""
    options: dict[str, object] = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
    options |= {"image_size": size} if name.startswith("vit_") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.device("meta"):
                return models.get_model(name, weights=None, **options)
        except NotImplementedError:
            fillings = ("kaiming_uniform_", "kaiming_normal_", "normal_", "uniform_", "ones_", "zeros_")
            with patch.multiple(nn.init, **{filling: lambda tensor, *_, **__: tensor for filling in fillings}):
                return models.get_model(name, weights=None, **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", models.list_models(module=models))
def test_published_operations_and_parameters(name: str) -> None:
    weights = next(iter(models.get_model_weights(name)))
    size = getattr(weights.transforms(), "crop_size", [224])[0]
    model = built(name, size)
    found = walk(model, (3, size, size), count=True, follow=False)
    assert found.failure is None
    check_sums(layer_costs(model, found))
    assert sum(operation.macs for operation in found.operations) / 1e9 == pytest.approx(weights.meta["_ops"], abs=6e-4)
    if name not in PARAMETERS_DIFFER:
        assert sum(parameter.numel() for parameter in model.parameters()) == weights.meta["num_params"]
