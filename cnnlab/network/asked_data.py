"""The data that a network from elsewhere is asked about: a folder, a CSV, a config's data or a data set by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from cnnlab.config.config import read_config
from cnnlab.config.data_section import Data
from cnnlab.core.errors import RequestError, unknown
from cnnlab.core.registry import Component, component
from cnnlab.data.classes import chosen_classes, with_classes
from cnnlab.data.dataset import DataPlace, Dataset, check_memory
from cnnlab.data.decoding import read_image
from cnnlab.data.fitting import Fitting
from cnnlab.data.folder import list_contents
from cnnlab.data.parallel import in_parallel
from cnnlab.data.registry import DATASETS, facts_of
from cnnlab.runs.images import divided, labelled

SPLIT_SEED = 0
"""Of the validation part that is cut from the training part of a data set by name."""

ALL = "all"
"""What stands for the part where data has none."""

SHOWN = 6
"""Classes named in a message."""


@dataclass(frozen=True, eq=False)
class AskedData:
    """Where the images come from, and which of the network's classes theirs are."""

    name: str
    """As it was asked for."""
    section: Data
    """What a config says of its images."""
    seed: int
    """Of that split."""
    channels: int
    """Of what the network takes."""
    fitting: Fitting
    """How images come to its size."""
    whole: bool = False
    """Whether it has no parts: all of its images are taken then, whichever part is asked for."""
    classes: tuple[str, ...] = ()
    """Of the network, where their names are known."""

    @property
    def dataset(self) -> Component:
        """What reads them."""
        return self.section.dataset

    @property
    def own(self) -> bool:
        """Whether the images are the user's own files."""
        return facts_of(self.dataset).source == "own"

    def part(self, split: str, place: DataPlace) -> Dataset:
        """The `train`, `validation` or `test` part, as the network takes it, its labels those of the network.

        Raises: RequestError for a part that is not there, and for classes that are not the network's.
        """
        return self.taken(self.read(split, place))

    def taken(self, images: Dataset) -> Dataset:
        """`images`, read from this data, as the network takes them, their labels those of the network."""
        return as_taken(self._with_labels(images), self.channels, self.fitting)

    def read(self, split: str, place: DataPlace) -> Dataset:
        """The part as it is there.

        Raises: RequestError for a part that is not there.
        """
        return self._part(split, replace(place, moved=None))

    def _part(self, split: str, place: DataPlace) -> Dataset:
        if split == "test" and not self.whole:
            return with_classes(self.dataset.build(place=place, part="test"), self.section.classes)
        whole = with_classes(self.dataset.build(place=place, part="train"), self.section.classes)
        whole = labelled(whole, self.section)
        if self.whole:
            return whole
        none = not self.section.validation and self.section.fold is None
        if split == "validation" and whole.held_out is None and none and "test" in whole.places:
            return self._part("test", place)  # `val/` beside `train/` is the test part, where there is no other
        halves = divided(whole, self.section, self.seed)
        if split == "validation" and not len(halves.validation):
            raise RequestError(
                f"{self.name} keeps no validation part (data.validation is 0); use `split` train or test"
            )
        return whole.take(halves.validation if split == "validation" else halves.train)

    def _with_labels(self, images: Dataset) -> Dataset:
        if not self.classes or images.classes == self.classes:
            return images
        numbers = torch.tensor(class_numbers(images.classes, self.classes, self.name))
        return replace(images, labels=numbers[images.labels], classes=self.classes)


def asked_data(
    text: str | Path, place: DataPlace, *, channels: int, fitting: Fitting, allow_plugins: bool = False
) -> tuple[AskedData, tuple[str, ...]]:
    """What `text` names, and its classes as far as they are known before an image is read.

    Arguments:
        text: a folder or CSV file of images, a config (its `data`), or the name of a data set.
        place: where data sets lie.
        channels: of what the network takes.
        fitting: how images come to its size; it holds against what a config says of that.
        allow_plugins: whether a config's plugins may be run.

    Raises: RequestError for what is none of these, with the nearest name, and for a folder without classes.
    """
    path, name = Path(text).expanduser(), str(text)
    if path.suffix in (".yaml", ".yml"):
        config = read_config(path, allow_plugins=allow_plugins)
        section, seed = config.data, config.split_seed
    elif path.exists():
        section, seed = Data(dataset=component("dataset", "folder", path=str(path)), validation=0), SPLIT_SEED
    elif name in DATASETS:
        section, seed = Data(dataset=component("dataset", name)), SPLIT_SEED
    else:
        named = unknown("data set", name, [entry.name for entry in DATASETS])
        raise RequestError(f"`data` is '{name}': no such folder, CSV file or config, and {named}")
    return asked_section(section, place, name=name, seed=seed, channels=channels, fitting=fitting)


def asked_section(
    section: Data, place: DataPlace, *, name: str, seed: int, channels: int, fitting: Fitting
) -> tuple[AskedData, tuple[str, ...]]:
    """The data of a config, for a network of its own preparation, and its classes where they are the user's folders.

    Arguments:
        section: `data` of a config.
        place: where data sets lie.
        name: what it is called.
        seed: of the split.
        channels: of what the network takes.
        fitting: how images come to its size; it holds against what the section says of that.

    Raises: RequestError for a folder that is not there or has no classes.
    """
    dataset = section.dataset
    if facts_of(dataset).source != "own":
        return AskedData(name, section, seed, channels, fitting), ()
    height, width = fitting.size
    size = height if height == width else [height, width]
    taken = {**dataset.options, "size": size, "channels": channels, **fitting.as_json()}
    dataset = component("dataset", "folder", **taken)
    contents = list_contents(place, **dataset.options)
    whole = set(contents.parts.named) == {"train"} and not section.validation and section.fold is None
    classes = contents.classes
    if section.classes is not None:
        classes = tuple(classes[number] for number in chosen_classes(section.classes, classes))
    section = section.model_copy(update={"dataset": dataset})
    return AskedData(name, section, seed, channels, fitting, whole=whole), classes


def of_part(split: str) -> str:
    """The images of `split` in words."""
    return "the whole data" if split == ALL else f"the {split} part"


def counted(count: int | str, split: str) -> str:
    """`36 validation images`; `36 images` of data that has no parts."""
    return f"{count} images" if split == ALL else f"{count} {split} images"


def class_numbers(theirs: Sequence[str], own: Sequence[str], name: str) -> list[int]:
    """Which class of the network each class of the data is: by its name, else by its place where no name is common.

    Arguments:
        theirs: the classes of the data.
        own: the classes of the network.
        name: of the data, for the error.

    Raises: RequestError where some have the network's names and others do not, or nothing fits.

    Example:
        >>> class_numbers(["dog", "Cat"], ["cat", "bird", "dog"], "photos")
        [2, 0]
    """
    named = numbers_by_name(theirs, own)
    if named is not None:
        return named
    common = {_plain(one) for one in theirs} & {_plain(one) for one in own}
    if len(theirs) == len(own) and not common:
        return list(range(len(own)))
    strange = [one for one in theirs if _plain(one) not in common]
    raise RequestError(
        f"{name} has classes that are none of the network's: {_listed(strange)}; it has {_listed(own)}. "
        "Name the network's classes as the data calls them with `classes`, in the order of its logits"
    )


def numbers_by_name(theirs: Sequence[str], own: Sequence[str]) -> list[int] | None:
    """Which of the classes `own` each of `theirs` is by its name, however it is spelled; None where one is none.

    Example:
        >>> numbers_by_name(["dog", "Cat"], ["cat", "bird", "dog"]), numbers_by_name(["cow"], ["cat"])
        ([2, 0], None)
    """
    for key in (str, _plain):
        numbers: Mapping[str, int] = {key(one): number for number, one in reversed(list(enumerate(own)))}
        if len(numbers) == len(own) and all(key(one) in numbers for one in theirs):
            return [numbers[key(one)] for one in theirs]
    return None


def order_remark(theirs: Sequence[str], own: Sequence[str], name: str) -> str:
    """A sentence where classes are taken to be the network's by their order alone, otherwise nothing."""
    if not own or {_plain(one) for one in theirs} & {_plain(one) for one in own}:
        return ""
    return (
        f"no class of {name} has a name of the network's, so they are taken in their order: "
        f"{theirs[0]} is {own[0]}, …, {theirs[-1]} is {own[-1]}"
    )


def as_taken(images: Dataset, channels: int, fitting: Fitting) -> Dataset:
    """The images in the network's size and channels; files are read again, since fitting twice would cut twice.

    Raises: RequestError where they do not fit into memory, or a file can no longer be read.
    """
    shape = channels, *fitting.size
    if images.shape == shape:
        return images
    if images.paths is None and images.shape[1:] == fitting.size:
        return replace(images, images=_in_channels(images.images, channels))
    check_memory(len(images), shape)
    made = torch.empty(len(images), *shape, dtype=torch.uint8)

    def fit(number: int) -> None:
        if images.paths is not None:
            image = read_image(Path(images.paths[number]), channels=1 if channels == 1 else 3)
        else:
            image = _in_channels(images.images[number : number + 1], channels)[0]
        made[number] = fitting(image)

    for _ in in_parallel(fit, range(len(images))):
        pass
    return replace(images, images=made, masks=None)


def _in_channels(pixels: Tensor, channels: int) -> Tensor:
    """Grey as three equal channels, and colour as its brightness (ITU-R 601, as pillow has it)."""
    if pixels.shape[1] == channels:
        return pixels
    if pixels.shape[1] == 1:
        return pixels.expand(-1, channels, -1, -1)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    return (pixels * weights).sum(1, keepdim=True).round().to(torch.uint8)


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
