"""The network of a config or of a run."""

from dataclasses import dataclass

import torch
from torch import nn

from cnnlab.config.config import Config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.data.statistics import ChannelStatistics
from cnnlab.fit.state import load_weights
from cnnlab.models.build import Model, build
from cnnlab.models.initialization import initialize
from cnnlab.runs.folder import Run, WhichWeights


def new_network(config: Config, shape: Shape, classes: int) -> Model:
    """The config's network with fresh weights, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "model"))
        model = build(config.model, shape, classes=classes)
    initialize(model, config.initialization, seed=derive_seed(config.seed, "initialization"))
    return model


@dataclass(frozen=True)
class TrainedNetwork:
    """A run's network as it is evaluated, with what a new picture needs on its way to it."""

    model: nn.Module
    config: Config
    classes: tuple[str, ...]
    shape: Shape
    statistics: ChannelStatistics
    epoch: int
    """The epoch of its weights, from 1."""


def trained_network(
    run: Run, device: torch.device, *, which: WhichWeights = "best", allow_plugins: bool = False
) -> TrainedNetwork:
    """Load a run's network in evaluation mode.

    Raises: RequestError when the run has no weights yet, or they are not those of its config.
    """
    config, data = run.config(allow_plugins=allow_plugins), run.record.data
    weights, facts = run.weights(which)
    model = build(config.model, data.shape, classes=len(data.classes))
    try:
        load_weights(model, weights)
    except RequestError as error:
        raise RequestError(f"{run.path}/checkpoints/{which}.safetensors: {error}") from None
    memory = torch.channels_last if config.training.channels_last else torch.contiguous_format
    model = model.to(device=device, memory_format=memory).eval()  # type: ignore[call-overload]
    statistics = ChannelStatistics(data.mean, data.std)
    epoch = facts.get("epoch")
    if not isinstance(epoch, int):
        raise RequestError(f"{run.path}/checkpoints/{which}.safetensors: damaged weights: the header lacks their epoch")
    return TrainedNetwork(model, config, data.classes, data.shape, statistics, epoch)
