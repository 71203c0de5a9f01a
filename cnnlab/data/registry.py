"""What a config can name under `data:`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cnnlab.core.arithmetic import Shape
from cnnlab.core.registry import Chosen, Component, Registry

Options = Mapping[str, Any]
"""The options of one data set, checked."""


def _largest(options: Options) -> int:
    """Images in the largest part of a public data set: the training part of SVHN."""
    return 73_257


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a data set without loading it; by default nothing, but that it lies below the data folder."""

    shape: Callable[[Options], Shape] | None = None
    """(channels, height, width) of an image, in pixels."""
    classes: int | None = None
    """Their number."""
    names: tuple[str, ...] = ()
    """Of the classes, where they are known."""
    source: Literal["archive", "made", "own"] = "archive"
    """Whether its images lie below the data folder, are made on the spot, or are the user's own, wherever `path` says
    (with the options that `whereabouts` and `folder` know)."""
    most: Callable[[Options], int] = _largest
    """Images of the training part, at most.

    Raises: RequestError where so many do not fit into memory.
    """


def square(options: Options) -> Shape:
    """The shape of images with the options `channels` and `size`."""
    return options["channels"], options["size"], options["size"]


DATASETS = Registry("dataset", supplies=("place", "part"), facts=DatasetFacts())
"""Each makes a `Dataset`: `place` is a `DataPlace`, `part` "train" or "test"; its facts are `DatasetFacts`."""

AUGMENTATIONS = Registry("augmentation", supplies=("classes",))
"""Each makes an `Augmentation`: a change of a whole batch; `classes` is their number."""

DatasetChoice = Annotated[Component, Chosen("dataset")]
AugmentationChoice = Annotated[Component, Chosen("augmentation")]


def facts_of(dataset: Component) -> DatasetFacts:
    """What is known of a data set without loading it."""
    facts: DatasetFacts = dataset.entry.facts
    return facts


def image_of(dataset: Component) -> tuple[Shape | None, int | None]:
    """The shape of a data set's images and the number of its classes, as far as they are known without loading it."""
    facts = facts_of(dataset)
    return facts.shape(dataset.options) if facts.shape else None, facts.classes
