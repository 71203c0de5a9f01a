"""A network that commands look at: where it comes from, what it is for, and the data that it may be asked about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import nn

from cnnlab.config.config import Config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import DataPlace, Dataset
from cnnlab.network.asked_data import AskedData
from cnnlab.network.preparation import Preparation
from cnnlab.runs.folder import Run
from cnnlab.runs.images import evaluation_images, training_images
from cnnlab.stats.probabilities import Activation

Origin: TypeAlias = Literal["run", "config", "torchvision", "timm", "own", "module"]
"""Where a network comes from: `own` is a user's own, by its place in a file or a package; `module` is given as such."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """One network; `open_network` is the way to it."""

    name: str
    """The name, as in a title."""
    origin: Origin
    model: nn.Module
    """In evaluation mode, on the session's device."""
    shape: Shape
    """(channels, height, width) of its images, in pixels."""
    trained: bool
    """Whether its weights are learned ones."""
    weights: str
    """What its weights are, in words."""
    classes: tuple[str, ...] = ()
    """None where their names are not known."""
    logits: int | None = None
    """How many it puts out, where that is known."""
    run: Run | None = None
    config: Config | None = None
    """The config of a run, or the config itself."""
    fresh: Callable[[int], nn.Module] | None = None
    """A twin with random weights that follow from a seed, before any training; None of a module."""
    prepared: Preparation | None = None
    """None where nothing is known of the statistics of its images; see `preparation`."""
    activation: Activation = "softmax"
    """What makes probabilities of its logits; a single logit always speaks for class 1 of two, by its sigmoid."""
    asked: AskedData | None = None
    """The data that it is to be asked about, where it brings none itself."""
    remarks: tuple[str, ...] = ()
    """A sentence for each thing about it that was assumed or changed, and that a person should know."""

    @property
    def device(self) -> torch.device:
        """Where its parameters are; the processor where it has none."""
        return next(self.model.parameters(), torch.empty(0)).device

    @property
    def preparation(self) -> Preparation:
        """How an image is prepared for it.

        Raises: RequestError for a network that was opened without its images.
        """
        if self.prepared is None:
            raise RequestError(f"{self.name} was opened for its layers alone; open it for images")
        return self.prepared

    @property
    def has_images(self) -> bool:
        """Whether there is data that it can be asked about: its own, or what was named for it."""
        return self.config is not None or self.asked is not None

    def part(self, split: str, place: DataPlace) -> Dataset:
        """The `train` or `validation` part of the network's own data; of data that was named for it `test`, too.

        Raises: RequestError for a network without any, or a part that was not kept.
        """
        if self.asked is not None:
            return self.asked.part(split, place)
        if self.config is None:
            raise RequestError(f"{self.name} has no images of its own; name a folder, a CSV or a data set with `data`")
        none = f"{self.name} keeps no validation part (data.validation is 0); use `split` train"
        if self.run is not None:
            if split == "validation" and not self.run.record.data.validation:
                raise RequestError(f"the run {none}")
            return evaluation_images(self.run, self.config, split, place)
        halves = training_images(self.config, place)
        if split == "validation" and halves.validation is None:
            raise RequestError(none)
        return halves.train if split == "train" or halves.validation is None else halves.validation

    def held_out(self, place: DataPlace) -> tuple[Literal["train", "validation"], Dataset]:
        """The `validation` part where one was kept, otherwise the `train` part; with its name.

        Raises: RequestError as `part`.
        """
        if self.asked is not None and not self.asked.whole:
            try:
                return "validation", self.asked.part("validation", place)
            except RequestError:
                return "train", self.asked.part("train", place)
        if self.run is None and self.config is None:
            return "validation", self.part("validation", place)
        if self.run is not None:
            split: Literal["train", "validation"] = "validation" if self.run.record.data.validation else "train"
            return split, self.part(split, place)
        assert self.config is not None
        halves = training_images(self.config, place)
        return ("validation", halves.validation) if halves.validation is not None else ("train", halves.train)


@dataclass(frozen=True, kw_only=True, eq=False)
class RunNetwork(Network):
    """The network of a run, which has all of it."""

    run: Run
    config: Config
    prepared: Preparation
    fresh: Callable[[int], nn.Module]
    epoch: int
    """Of its weights, from 1."""
