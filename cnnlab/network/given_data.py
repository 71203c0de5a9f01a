"""Labelled images that are given as such, as the data that a network is asked about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.errors import RequestError, unknown
from cnnlab.data.dataset import DataPlace, Dataset
from cnnlab.network.given_images import GivenImages, sources_of
from cnnlab.network.preparation import Preparation
from cnnlab.network.prepared_images import images_of_files, pixels_of

NAME = "the given images"


@dataclass(frozen=True, eq=False)
class GivenData:
    """Images in memory, prepared for the network; all of them are taken, whichever part is asked for."""

    images: Dataset
    whole: bool = True
    name: str = NAME

    def part(self, split: str, place: DataPlace) -> Dataset:
        """All of the images."""
        return self.images


def given_data(
    images: GivenImages,
    labels: "Sequence[int] | Sequence[str] | Tensor",
    preparation: Preparation,
    *,
    classes: Sequence[str],
    logits: int | None = None,
) -> GivenData:
    """Prepare images and their labels.

    Arguments:
        images: as `sources_of` takes them.
        labels: of each image its class, by number or name.
        preparation: of the network.
        classes: names of its classes; where they are not known, labels are numbers.
        logits: how many it puts out, where that is known.

    Returns:
        The data.

    Raises:
        RequestError: for an image that cannot be read, a class that is not there, and another number of labels.

    Example:
        >>> import numpy as np
        >>> from cnnlab.data.batches import ChannelStatistics
        >>> plain = ChannelStatistics((0.0,) * 3, (1.0,) * 3)
        >>> preparation = Preparation((3, 8, 8), "crop", plain, "")
        >>> given_data(np.zeros((2, 9, 9, 3), np.uint8), ["b", "a"], preparation, classes="ab").images.labels.tolist()
        [1, 0]
    """
    found, unreadable = images_of_files(sources_of(images), preparation, classes)
    if unreadable:
        raise RequestError(*(f"{one.path}: {one.reason}" for one in unreadable))
    numbers = _numbers(labels, classes)
    if len(numbers) != len(found):
        raise RequestError(f"`data` has {len(found)} images and {len(numbers)} labels")
    count = len(classes) or max(2, logits or 0, *(number + 1 for number in numbers))
    names = tuple(classes) or tuple(map(str, range(count)))
    known = torch.tensor(numbers, dtype=torch.int64)
    return GivenData(Dataset(name=NAME, part="test", images=pixels_of(found), labels=known, classes=names))


def _numbers(labels: Any, classes: Sequence[str]) -> list[int]:
    """The labels as numbers.

    Raises: RequestError for what is neither a number nor the name of a class.
    """
    found = []
    for label in labels.tolist() if hasattr(labels, "tolist") else labels:
        if isinstance(label, str):
            if label not in classes:
                raise RequestError(unknown("class", label, classes))
            found.append(list(classes).index(label))
        elif isinstance(label, int) and not isinstance(label, bool) and label >= 0:
            found.append(label)
        else:
            raise RequestError(f"`data` has the label {label!r}, expected the number of a class from 0, or its name")
    return found
