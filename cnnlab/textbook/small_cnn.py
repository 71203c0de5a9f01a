"""The chapter's network and recipe, read and built as any config is."""

from functools import cache
from pathlib import Path

import torch

from cnnlab.config.config import Config, read_config
from cnnlab.models.build import Model, build
from cnnlab.models.own_model import OwnModel
from cnnlab.receptive_field.fields import Fields, receptive_fields
from cnnlab.walk.costs import Costs, layer_costs

RECIPE = Path(__file__).parent / "recipe.yaml"
SHAPE = (3, 32, 32)
"""Of an image of CIFAR-10."""
CLASSES = 10


@cache
def recipe() -> Config:
    """The chapter's config."""
    return read_config(RECIPE)


def small_cnn(**options: str) -> Model:
    """The network with random weights, every block with `options` besides, such as norm="none"."""
    changes = [f"model.{place}.conv_bn_act.{name}={value}" for place in range(6) for name, value in options.items()]
    config = read_config(RECIPE, changes) if changes else recipe()
    assert not isinstance(config.model, OwnModel)
    return build(config.model, SHAPE, classes=CLASSES)


@cache
def fields() -> Fields:
    """What each of its layers sees."""
    with torch.device("meta"):
        network = small_cnn()
    return receptive_fields(network, SHAPE)


@cache
def costs() -> Costs:
    """What each of its layers costs."""
    with torch.device("meta"):
        network = small_cnn()
    return layer_costs(network, fields().walk, None)
