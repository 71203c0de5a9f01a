"""The config of the small network that chooses the images to learn from, where `hardest` asks for one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cnnlab.config.config import Config
from cnnlab.core.errors import CnnlabError, RequestError


def proxy_config(config: Config) -> Config | None:
    """Make the config of the proxy's training: the same images, batches and recipe, and its own layers.

    Arguments:
        config: of the network's training.

    Returns:
        None where it asks for no proxy.

    Raises:
        RequestError: together with a time budget.
    """
    hardest = config.hardest
    if hardest is None:
        return None
    if config.training.time_budget is not None:
        with config.told_by_place():
            raise RequestError(
                "hardest: its proxy is trained for all epochs before the network, and training.time_budget may end the "
                "training before them; leave one of the two out"
            )
    changes: dict[str, Any] = {"model": hardest.proxy, "hardest": None, "ema": None, "early_stopping": None}
    changes |= {"counterpart": None, "weights": None, "init_from": None}
    changes |= {"freeze": [], "unfreeze": {}, "layer_decay": 1.0}
    return config.model_copy(update=changes)


@contextmanager
def in_the_proxy() -> Iterator[None]:
    """An error raised inside says that it is one of the proxy's."""
    try:
        yield
    except CnnlabError as error:
        first, *more = error.lines
        error.args = (f"{first} (in the proxy of hardest)", *more)
        raise
