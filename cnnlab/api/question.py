"""What every question to an opened network needs: the network as it may be asked, its images, and the answer."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any, Literal, TypeVar

from cnnlab.api.given import GivenData, about
from cnnlab.api.untouched import untouched
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.inside.channels import channels_of
from cnnlab.network.given_images import GivenImages, sources_of
from cnnlab.network.image_files import Unreadable
from cnnlab.network.network import Network
from cnnlab.network.prepared_images import ExplainedImage, images_of_files
from cnnlab.network.session import Session

Open = Literal["train", "validation"]
"""The parts that may be looked into."""

T = TypeVar("T")

TURN = RLock()
"""Held while a question is answered: random generators and torch's settings are kept for the whole process."""


class Questions:
    """Abstract: a network and the session in which it is asked; questions of one kind are a class that adds them."""

    def __init__(self, network: Network, session: Session) -> None:
        """Take what `cnnlab.open` has opened."""
        self._network, self._session = network, session

    @contextmanager
    def _asked(self, data: GivenData | None = None) -> Iterator[Network]:
        """The network, about `data`; everything is as before after it."""
        with TURN, untouched(self._network.model):
            yield about(self._network, data, self._session)

    def _part(self, network: Network, split: Open | None) -> tuple[str, Dataset]:
        """The name of a part and its images; of what was held out where none is named."""
        if split not in (None, "train", "validation"):
            raise RequestError(
                f"`split` is '{split}', expected train or validation; `evaluate` and `compare` alone open test"
            )
        place = self._session.place
        part, images = network.held_out(place) if split is None else (split, network.part(split, place))
        return network.named_part(part), images


def inside(opened: Questions) -> tuple[Network, Session]:
    """What `cnnlab.open` has opened, and with which session."""
    return opened._network, opened._session


def last(steps: Iterable[Advance | T]) -> T:
    """The result, which comes last."""
    *_, found = steps
    assert not isinstance(found, Advance)
    return found


def prepared(network: Network, images: GivenImages) -> tuple[list[ExplainedImage], tuple[Unreadable, ...]]:
    """The images as the network takes them, and the files that cannot be read.

    Raises: RequestError where none can be read.
    """
    found, unreadable = images_of_files(sources_of(images), network.preparation, network.classes)
    if not found:
        raise none_readable(unreadable)
    return found, tuple(unreadable)


def none_readable(unreadable: Sequence[Unreadable]) -> RequestError:
    """An error that names each file with what is wrong with it."""
    return RequestError(*(f"{one.path}: {one.reason}" for one in unreadable))


def listed(value: Any) -> Any:
    """A list of what is one thing or several."""
    return [value] if isinstance(value, str) else value


def channel_numbers(channels: str | int | Sequence[int] | None) -> tuple[int, ...] | None:
    """Channels from 0, of a number, several, or `3,7-9`; None where none are named.

    Example:
        >>> channel_numbers(3), channel_numbers([1, 2]), channel_numbers("3,7-9")
        ((3,), (1, 2), (3, 7, 8, 9))
    """
    if channels is None:
        return None
    if isinstance(channels, str):
        return channels_of(channels)
    return channels_of(",".join(map(str, [channels] if isinstance(channels, int) else channels)))
