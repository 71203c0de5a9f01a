"""A trained network with the images that a page about it is made from, and its answers to them."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cnnlab.data.dataset import DataPlace, Dataset
from cnnlab.fit.predict import Predictions
from cnnlab.network.preparation import PreparedNetwork
from cnnlab.network.trained import TrainedNetwork
from cnnlab.runs.folder import Run, WhichWeights


@dataclass(frozen=True, eq=False)
class Studied:
    """What every subject is given that has something to say on the page of a run."""

    run: Run
    network: TrainedNetwork
    prepared: PreparedNetwork
    """The same network, as commands take it that look into any network."""
    split: Literal["train", "validation"]
    images: Dataset
    """Of that part, all of them."""
    predictions: Predictions
    """Of those images, in their order."""
    chosen: Tensor
    """The numbers of the images that are shown one by one, int64 [n], the first the clearest example."""
    weights: WhichWeights
    device: torch.device
    place: DataPlace
    """Where the data set lies now."""
    allow_plugins: bool = False
