"""Data as Python has it, for a network to be asked about."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeAlias

from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.network.given_data import given_data
from cnnlab.network.given_images import GivenImages
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.network.with_data import with_data

Labels: TypeAlias = Sequence[int] | Sequence[str] | Tensor
"""Of each image its class, by number or name."""

GivenData: TypeAlias = str | Path | tuple[GivenImages, Labels]
"""A folder, a CSV, a config or the name of a data set; or images with their labels."""


def about(network: Network, data: GivenData | None, session: Session) -> Network:
    """The network, to be asked about `data` in place of its own; the same network without any.

    Raises: RequestError where there is no such data, for what is no data, or its classes are none of the network's.
    """
    if data is None:
        return network
    known = {field.name: getattr(network, field.name) for field in fields(Network)}
    alone = Network(**known | {"run": None, "config": None, "asked": None})
    if isinstance(data, (str, Path)):
        return with_data(alone, data, session)
    if not isinstance(data, (tuple, list)) or len(data) != 2 or isinstance(data[1], (str, Path)):
        raise RequestError(
            f"`data` is of the type {type(data).__name__}, expected a folder, a CSV, a config, the name of a data set, "
            "or (images, labels)"
        )
    images, labels = data
    given = given_data(images, labels, network.preparation, classes=network.classes, logits=network.logits)
    return replace(alone, asked=given)
