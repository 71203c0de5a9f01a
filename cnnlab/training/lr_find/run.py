"""`cnnlab lr-find`: a range test on the config's own network and pictures."""

from collections.abc import Iterator

import torch

from cnnlab.config.config import Config
from cnnlab.data.dataset import DataPlace
from cnnlab.training.lr_find.finder import RatePoint, learning_rate_range
from cnnlab.training.setup import training_session


def find_learning_rate(
    config: Config, place: DataPlace, device: torch.device, *, start: float, end: float, steps: int
) -> Iterator[RatePoint]:
    """The points of the test, as they come."""
    session = training_session(config, place, device)
    yield from learning_rate_range(
        session.network,
        session.state.optimizer,
        session.batches,
        loss=session.loss,
        start=start,
        end=end,
        steps=steps,
    )
