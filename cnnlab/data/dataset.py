"""A data set in memory: images as bytes, labels as numbers.

Whether images fit into memory is asked before the operating system ends the program.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Literal

import platformdirs
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from cnnlab.core.advance import Track, untracked
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.core.memory import gigabytes, machine_memory
from cnnlab.data.storage import fits_into_memory, gathered

Part = Literal["train", "test"]


@dataclass(frozen=True)
class DataPlace:
    """The place of data sets, and whether they may be downloaded."""

    root: Path
    base: Path = field(default_factory=Path)
    """What relative paths of the `folder` data set start from."""
    download: bool = True
    track: Track = untracked
    moved: Path | None = None
    """The folder or file of a run's data now, if it is no longer where the run had it."""

    @staticmethod
    def default(*, track: Track = untracked, moved: Path | None = None) -> "DataPlace":
        """`$CNNLAB_DATA` where it is set, otherwise the user's cache folder."""
        root = os.environ.get("CNNLAB_DATA") or platformdirs.user_cache_dir("cnnlab")
        return DataPlace(Path(root).expanduser(), track=track, moved=moved)


@dataclass(frozen=True)
class Dataset:
    """Images with labels; everything has one entry per image, in the same order.

    Raises: RequestError when it is empty or its parts do not fit together.
    """

    name: str
    part: Part
    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, "n"]
    classes: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    """What must stay on one side of a split: a patient, a session, a location."""
    paths: tuple[str, ...] | None = None
    masks: Bool[Tensor, "n h w"] | None = None
    """True where the object is."""
    held_out: Bool[Tensor, "n"] | None = None
    """In a training part, True where whoever made it has kept the image for validation."""
    skipped: tuple[str, ...] = ()
    """A sentence for each image that could not be read."""
    places: Mapping[str, str] = field(default_factory=dict)
    """The folder or file of each part, where it is the user's own; no `validation` where that is cut from `train`."""
    remarks: tuple[str, ...] = ()
    """A sentence for each thing about the parts and their classes that a person should know."""
    numbers: Int64[Tensor, "n"] | None = None
    """Of each image its index in the part as it was read, where some of those were left out by hand."""
    spill: tuple[Path, ...] = ()
    """Folders where images lie that are taken of these, since they do not fit into memory; none where they do."""

    def __post_init__(self) -> None:
        count = len(self.images)
        if count == 0:
            raise RequestError(f"the data set {self.name} ({self.part}) has no images")
        for what in ("labels", "groups", "paths", "masks", "held_out", "numbers"):
            values = getattr(self, what)
            if values is not None and len(values) != count:
                raise RequestError(f"the data set {self.name} has {count} images and {len(values)} {what}")
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= len(self.classes):
            expected = f"0 to {len(self.classes) - 1} for its {len(self.classes)} classes"
            raise RequestError(f"the data set {self.name} has labels {low} to {high}, expected {expected}")

    def __len__(self) -> int:
        return len(self.images)

    def images_for(self, device: torch.device) -> UInt8[Tensor, "n c h w"]:
        """All images on `device`; where they lie, if they are on disk: their batches are moved one at a time."""
        return self.images if self.spill else self.images.to(device)

    @property
    def shape(self) -> Shape:
        """(channels, height, width) of an image, in pixels."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    def take(self, indices: Int64[Tensor, "k"]) -> "Dataset":
        """The images at `indices`, in that order."""
        chosen = indices.tolist()
        return replace(
            self,
            images=gathered(self.images, indices, self.spill),
            labels=self.labels[indices],
            groups=None if self.groups is None else tuple(self.groups[i] for i in chosen),
            paths=None if self.paths is None else tuple(self.paths[i] for i in chosen),
            masks=None if self.masks is None else self.masks[indices],
            held_out=None if self.held_out is None else self.held_out[indices],
            numbers=None if self.numbers is None else self.numbers[indices],
        )

    def counts(self) -> Int64[Tensor, "classes"]:
        """How many images each class has."""
        return torch.bincount(self.labels, minlength=len(self.classes))


def check_memory(count: int, shape: Shape) -> None:
    """Refuse `count` images of `shape` (channels, height, width), a byte a value, that do not fit into memory twice.

    Raises: RequestError with the memory needed and that of the machine.
    """
    if not fits_into_memory(count, shape):
        raise RequestError(
            f"{count:,} images of {shape[1]} × {shape[2]} pixels take {gigabytes(count * prod(shape))}, and as much "
            f"again when the validation part is taken out of them; this machine has {gigabytes(machine_memory() or 0)} "
            "of memory; choose a smaller 'size' or fewer images"
        )
