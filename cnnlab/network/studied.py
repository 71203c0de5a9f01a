"""A trained network with the images that a page about it is made from, and its answers to them."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from cnnlab.data.dataset import Dataset
from cnnlab.fit.predict import Predictions
from cnnlab.network.network import RunNetwork
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run, WhichWeights


@dataclass(frozen=True, eq=False)
class Studied:
    """What every subject is given that has something to say on the page of a run."""

    run: Run
    network: RunNetwork
    split: Literal["train", "validation"]
    images: Dataset
    """All images of that part."""
    predictions: Predictions
    """Predictions of those images, in their order."""
    chosen: Tensor
    """The numbers of the images that are shown one by one, int64 [n], the first the clearest example."""
    weights: WhichWeights
    session: Session
