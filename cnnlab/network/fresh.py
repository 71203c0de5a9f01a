"""The network of a config, with fresh weights."""

import torch
from torch import nn

from cnnlab.config.config import Config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.seeds import derive_seed
from cnnlab.models.build import build
from cnnlab.models.initialization import check_settable, initialize
from cnnlab.models.own_model import OwnModel
from cnnlab.network.own_built import Built, own_built


def new_network(config: Config, shape: Shape, classes: int) -> nn.Module:
    """The config's network with fresh weights, the same for the same seed.

    Arguments:
        config: names the layers or the module, the initialisation and the seed.
        shape: (channels, height, width) of an image, in pixels.
        classes: how many logits there are.

    Raises:
        ShapeError: where a layer does not fit its input.
        RequestError, OwnCodeError: as `own_built`, of a network in the user's own Python.
    """
    return new_built(config, shape, classes).model


def new_built(config: Config, shape: Shape, classes: int) -> Built:
    """The same network with what was found out as it was built; arguments and errors as of `new_network`."""
    built = unset(config, shape, classes)
    if config.initialization is not None:
        check_settable(built.model, config.initialization)
        initialize(built.model, config.initialization, seed=derive_seed(config.seed, "initialization"))
    return built


def outline(config: Config, shape: Shape, classes: int) -> nn.Module:
    """The config's network to be looked at: without values, unless it is in the user's Python; as `new_network`."""
    if isinstance(config.model, OwnModel):
        return new_network(config, shape, classes)
    with torch.device("meta"):
        return build(config.model, shape, classes=classes)


def unset(config: Config, shape: Shape, classes: int) -> Built:
    """The config's network before its initialisation: for weights that are loaded; as `new_built`."""
    seed = derive_seed(config.seed, "model")
    if isinstance(config.model, OwnModel):
        return own_built(config.model, shape, classes=classes, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(config.model, shape, classes=classes)
    return Built(model, model.largest_layer)
