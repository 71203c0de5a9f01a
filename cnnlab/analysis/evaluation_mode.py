"""A network in evaluation mode for a while: each module's own mode comes back, also after an exception."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """`model` as it answers in use: dropout off, batch normalisation with its kept statistics, which stay as they are.

    Modes are kept module by module, since a network may be partly frozen in evaluation mode while it trains.
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training
