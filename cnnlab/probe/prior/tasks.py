"""What is to be learned: the images as they are, and two tasks of which a convolution assumes what is not true."""

from collections.abc import Callable
from dataclasses import dataclass

from cnnlab.config.config import Config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.data.pairs import MARK, far_apart
from cnnlab.probe.prior.siblings import permuted

HELD_OUT = 1000
"""Images of the made task on which networks are asked."""


@dataclass(frozen=True)
class Setting:
    """What the tasks are made from."""

    shape: Shape
    """(channels, height, width) of the images."""
    most: int
    """Images that are learned from, at most."""
    seed: int
    """Of the permutation, and of made images."""


@dataclass(frozen=True)
class Task:
    """One task: its key in names and files, and what it is in words."""

    key: str
    words: str


Change = Callable[[Config, Setting], Config]
"""From the config of a network to its config for a task."""


def as_they_are(config: Config, setting: Setting) -> Config:
    """The config."""
    return config


def with_permuted_pixels(config: Config, setting: Setting) -> Config:
    """The config with the same permutation of the pixels of every image.

    Raises: RequestError for a network in Python.
    """
    return permuted(config, setting.seed)


def with_far_marks(config: Config, setting: Setting) -> Config:
    """The config for pairs of marks in images of the same size, neither moved nor mirrored.

    Raises: RequestError for images that no such pair can be drawn in.
    """
    channels, height, width = setting.shape
    if height != width or channels not in (1, 3) or not 16 <= height <= 512:
        raise RequestError(
            f"`far` draws square images of 16 to 512 px with 1 or 3 channels, and these are {channels} × {height} × "
            f"{width}"
        )
    count = setting.most + HELD_OUT
    dataset = component("dataset", "pairs", size=height, channels=channels, train_count=count, seed=setting.seed)
    update = {"dataset": dataset, "validation": HELD_OUT / count, "augment": []}
    return config.model_copy(update={"data": config.data.model_copy(update=update)})


PLAIN = Task("images", "the images as they are")
PERMUTED = Task("permuted", "one permutation of the pixels for all images")
FAR = Task("far", "two marks far apart, alike or not")

CHANGES: dict[Task, Change] = {PLAIN: as_they_are, PERMUTED: with_permuted_pixels, FAR: with_far_marks}
"""How each is made."""


def gap(size: int) -> int:
    """Pixels between the two marks of `FAR`, in images of this side: whoever sees no more never sees parts of both."""
    return far_apart(size) - MARK
