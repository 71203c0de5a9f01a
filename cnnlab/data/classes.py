"""Some of a data set's classes, as if there were no others."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from cnnlab.core.characters import printable
from cnnlab.core.errors import RequestError, unknown
from cnnlab.data.dataset import Dataset

LONGEST = 9
"""Digits of a number of a class, at most."""


def class_number(wanted: str, classes: Sequence[str]) -> int:
    """Find a class by its name, or by its number where no class is called so.

    Arguments:
        wanted: a name, or the digits of a number from 0.
        classes: the names there are.

    Returns:
        Its place among `classes`.

    Raises:
        RequestError: where there is none, with the nearest name.

    Example:
        >>> class_number("dog", ["cat", "dog"]), class_number("0", ["cat", "dog"]), class_number("0", ["1", "0"])
        (1, 0, 1)
    """
    if wanted in classes:
        return list(classes).index(wanted)
    if not (wanted.isascii() and wanted.isdecimal()):
        raise RequestError(unknown("class", wanted, classes))
    if len(wanted) > LONGEST or int(wanted) >= len(classes):
        raise RequestError(f"no class '{printable(wanted[:60])}'; there are {len(classes)}, numbered from 0")
    return int(wanted)


def chosen_classes(wanted: Sequence[str], classes: Sequence[str], what: str = "data.classes") -> list[int]:
    """Find each of several classes.

    Arguments:
        wanted: names, or the digits of numbers from 0.
        classes: the names there are.
        what: names the list in errors.

    Returns:
        The place of each among `classes`.

    Raises:
        RequestError: for one that is not there, and one that is named twice.
    """
    found: list[int] = []
    for one in wanted:
        try:
            number = class_number(one, classes)
        except RequestError as error:
            raise RequestError(f"{what}: {error}") from None
        if number in found:
            raise RequestError(f"{what}: '{classes[number]}' is there twice")
        found.append(number)
    return found


def with_classes(dataset: Dataset, wanted: Sequence[str] | None) -> Dataset:
    """The images of some classes, numbered anew.

    Arguments:
        dataset: all of it.
        wanted: names or numbers of the classes to be kept; None for all, as they are.

    Returns:
        Their images in their order; the labels follow the order of `wanted`.

    Raises:
        RequestError: as `chosen_classes`, and where none of the classes has an image.

    Example:
        >>> pixels, labels = torch.zeros(4, 1, 2, 2).byte(), torch.tensor([0, 1, 2, 1])
        >>> few = with_classes(Dataset("four", "train", pixels, labels, ("a", "b", "c")), ["c", "b"])
        >>> few.classes, few.labels.tolist()
        (('c', 'b'), [1, 0, 1])
    """
    if wanted is None:
        return dataset
    numbers = chosen_classes(wanted, dataset.classes)
    anew = torch.full((len(dataset.classes),), -1)
    anew[numbers] = torch.arange(len(numbers))
    labels = anew[dataset.labels]
    kept = (labels >= 0).nonzero().squeeze(1)
    if not len(kept):
        raise RequestError(f"the data set {dataset.name} ({dataset.part}) has no images of the classes in data.classes")
    # the labels first: those that are left out have none among the new classes
    taken = replace(dataset, labels=labels.clamp_min(0), classes=tuple(dataset.classes[number] for number in numbers))
    return taken.take(kept)
