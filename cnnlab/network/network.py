"""A network that commands look at: where it comes from, what it is for, and the data that it may be asked about."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import torch
from torch import nn

from cnnlab.config.config import Config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.characters import shortened
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import DataPlace, Dataset
from cnnlab.fit.precision import Precision, chosen_precision
from cnnlab.models.own import OwnNetwork
from cnnlab.network.asked_data import ALL, AskedData, as_taken
from cnnlab.network.given_data import GivenData
from cnnlab.network.preparation import Preparation
from cnnlab.runs.folder import Run, WhichWeights
from cnnlab.runs.images import evaluation_images, images_of, training_images
from cnnlab.stats.probabilities import Activation

Origin: TypeAlias = Literal["run", "config", "torchvision", "timm", "own", "module", "onnx", "pt2", "folder"]
"""Where a network comes from: `own` is a user's own, by its place in a file or a package; `module` is given as such;
`onnx` and `pt2` are files that are run as they are, `folder` is one that `cnnlab export` wrote."""

PIXELS = 32 * 224 * 224
"""Pixels of the images of a pass, where the network's own training tells nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """One network; `open_network` is the way to it."""

    name: str
    """The name, as in a title."""
    origin: Origin
    code: OwnNetwork | None = None
    """The place of the user's own code that makes it; what that raises is told with its calls."""
    model: nn.Module
    """In evaluation mode, on the session's device."""
    shape: Shape
    """(channels, height, width) of its images, in pixels."""
    trained: bool
    """Whether its weights are learned ones."""
    weights: str
    """What its weights are, in words."""
    weights_file: Path | None = None
    """The file that they are from, where one was named."""
    fused: bool = False
    """Whether norms were folded and branches merged in it, see `cnnlab.network.fused`."""
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
    asked: AskedData | GivenData | None = None
    """The data that it is to be asked about, where it brings none itself."""
    threshold: Mapping[str, Any] | None = None
    """The rule of rejection that its own file brings in its metadata; of a fused one that of the network as it was."""
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

    @property
    def seed(self) -> int:
        """Of its own choices of images: that of its config."""
        return 0 if self.config is None else self.config.seed

    @property
    def precision(self) -> Precision:
        """Of its passes where its answers are what is wanted: that of its training, otherwise single."""
        return "fp32" if self.config is None else chosen_precision(self.config.training.precision, self.device)

    @property
    def batch_size(self) -> int:
        """Images of a pass where nothing is learned: as in its training, otherwise by their size, 32 of 224 px."""
        if self.config is not None:
            return self.config.training.evaluation_batch_size
        return min(500, max(1, PIXELS // (self.shape[1] * self.shape[2])))

    @property
    def file_name(self) -> str:
        """The name as part of a file's; of a long one its ends."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", shortened(self.name, 120)).strip("-.")

    def named_part(self, split: str) -> str:
        """What the images are called that `part` gives for `split`: `all` where the data has no parts."""
        return ALL if self.asked is not None and self.asked.whole else split

    def named_by(self, images: Dataset) -> Self:
        """The network with the classes of `images`, where it has no names of its own.

        Raises: RequestError where they are not as many as its classes.
        """
        if self.classes:
            return self
        if self.logits is not None and len(images.classes) != max(2, self.logits):
            raise RequestError(
                f"{images.name} has {len(images.classes)} classes, and {self.name} puts out {self.logits} "
                f"logit{'s' * (self.logits != 1)}"
            )
        return replace(self, classes=images.classes)

    def fitted(self, images: Dataset) -> Dataset:
        """`images` in the network's size and channels.

        Raises: RequestError where they do not fit into memory.
        """
        return as_taken(images, self.shape[0], self.preparation.fitting)

    def part(self, split: str, place: DataPlace) -> Dataset:
        """The `train`, `validation` or `test` part of the network's own data, or of what was named for it.

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
            return self.fitted(evaluation_images(self.run, self.config, split, place))
        if split == "test":
            return self.fitted(images_of(self.config, place, "test"))
        halves = training_images(self.config, place)
        if split == "validation" and halves.validation is None:
            raise RequestError(none)
        return self.fitted(halves.train if split == "train" or halves.validation is None else halves.validation)

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
        if halves.validation is None:
            return "train", self.fitted(halves.train)
        return "validation", self.fitted(halves.validation)


@dataclass(frozen=True, kw_only=True, eq=False)
class RunNetwork(Network):
    """The network of a run, which has all of it."""

    run: Run
    config: Config
    prepared: Preparation
    fresh: Callable[[int], nn.Module]
    epoch: int
    """Of its weights, from 1."""
    which: WhichWeights
    """Which of the run's weights they are."""
