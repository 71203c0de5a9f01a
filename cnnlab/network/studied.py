"""A trained network with the images that a page about it is made from, and its answers to them."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from cnnlab.data.dataset import Dataset
from cnnlab.fit.predict import Predictions
from cnnlab.network.network import Network
from cnnlab.network.session import Session


@dataclass(frozen=True, eq=False)
class Studied:
    """What every subject is given that has something to say on the page of a network."""

    network: Network
    """Its classes have names."""
    split: Literal["train", "validation"]
    images: Dataset
    """All images of that part."""
    predictions: Predictions
    """Predictions of those images, in their order."""
    chosen: Tensor
    """The numbers of the images that are shown one by one, int64 [n], the first the clearest example."""
    session: Session

    @property
    def part(self) -> str:
        """What the images are called: their part, or `all` of data that has none."""
        return self.network.named_part(self.split)
