"""The network of a config, with fresh weights."""

import torch

from cnnlab.config.config import Config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.seeds import derive_seed
from cnnlab.models.build import Model, build
from cnnlab.models.initialization import initialize


def new_network(config: Config, shape: Shape, classes: int) -> Model:
    """The config's network with fresh weights, the same for the same seed.

    Arguments:
        config: names the layers, the initialisation and the seed.
        shape: (channels, height, width) of an image, in pixels.
        classes: how many logits there are.

    Raises:
        ShapeError: where a layer does not fit its input.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "model"))
        model = build(config.model, shape, classes=classes)
    initialize(model, config.initialization, seed=derive_seed(config.seed, "initialization"))
    return model
