"""The images of a config or of a run, in the parts that training and evaluation use."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from cnnlab.config.config import Config
from cnnlab.config.data_section import Data
from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.data.batches import ChannelStatistics, channel_statistics
from cnnlab.data.classes import with_classes
from cnnlab.data.corrections import corrected
from cnnlab.data.dataset import DataPlace, Dataset, Part
from cnnlab.data.folds import without_fold
from cnnlab.data.label_noise import swapped
from cnnlab.data.parts import moved
from cnnlab.data.registry import facts_of
from cnnlab.data.splits import Split, balanced_first, split
from cnnlab.runs.folder import Run
from cnnlab.runs.record import DataFacts

CLASSES_SHOWN = 12
LETTERS_SHOWN = 60
"""Letters of a class's name in a message."""

DECODERS_DIFFER = 1e-4
"""Brightness, 0 to 1, by which the means of the same images may lie apart when another library has decoded them."""


@dataclass(frozen=True)
class TrainingImages:
    """The training part in its two halves. The test part is not among them: only `cnnlab eval` opens it."""

    train: Dataset
    validation: Dataset | None
    statistics: ChannelStatistics
    """Statistics of the half that is trained on."""

    def facts(self) -> DataFacts:
        """What a run records of them."""
        return DataFacts(
            name=self.train.name,
            classes=self.train.classes,
            shape=self.train.shape,
            mean=self.statistics.mean,
            std=self.statistics.std,
            train=len(self.train),
            validation=len(self.validation) if self.validation else 0,
            skipped=self.train.skipped,
            places={part: str(Path(place).absolute()) for part, place in self.train.places.items()},
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence for each thing about the parts and their classes that a person should know."""
        # a part of its own was looked through when it was listed
        if self.validation is None or "validation" in self.train.places:
            return self.train.remarks
        counts = self.validation.counts().tolist()
        lost = [name for name, count in zip(self.train.classes, counts, strict=True) if not count]
        if not lost:
            return self.train.remarks
        kind = "class" if len(lost) == 1 else "classes"
        return (*self.train.remarks, f"the validation part has no images of the {kind} {some(lost)}")


def origins(places: Mapping[str, str], data: Data) -> dict[str, str]:
    """Which folder or file is which part, in words; nothing where the data set is not the user's own.

    data: whose `validation` share holds where there is no validation part of its own, and whose `fold` before both.
    """
    if not places:
        return {}
    share = data.validation
    if data.fold is not None:
        validation = f"fold {data.fold.number} of {data.fold.of} of what is there to train on (data.fold)"
    elif "validation" in places:
        validation = f"{places['validation']} (the share data.validation, {share:g}, is not used)"
    else:
        validation = f"{share:g} of the training part (data.validation)" if share else "none (data.validation is 0)"
    return {"train": places["train"], "validation": validation, "test": places.get("test", "none")}


def relocated(config: Config, place: DataPlace) -> Config:
    """The config with its own images where `place` says that they have moved to.

    Raises: RequestError where there is nothing, or the data set is none that lies anywhere.
    """
    dataset = config.data.dataset
    if place.moved is None:
        return config
    source = facts_of(dataset).source
    if source == "made":
        message = f"`data` has nothing to name: the images of the data set {dataset.name} are made, not read"
        raise RequestError(message)
    if source == "own":
        return config.with_data(moved(dataset.options, place.moved))
    if not place.moved.is_dir():
        raise RequestError(f"`data` is '{place.moved}': no such folder")
    return config


def images_of(config: Config, place: DataPlace, part: Part) -> Dataset:
    """The `train` part of a config's data, undivided, or its `test` part; of its classes, where it names some.

    Raises: RequestError where they are not there.
    """
    config = relocated(config, place)
    if place.moved is not None and facts_of(config.data.dataset).source == "archive":
        place = replace(place, root=place.moved)
    dataset: Dataset = config.data.dataset.build(place=place, part=part)
    dataset = with_classes(dataset, config.data.classes)
    return labelled(dataset, config.data) if part == "train" else dataset


def divided(whole: Dataset, data: Data, seed: int) -> Split:
    """The training part in two: a fold of it is the validation part, or it is as it came, or a share is.

    Arguments:
        whole: the training part.
        data: what a config says of it.
        seed: of the choice, a config's `split_seed`.

    Raises:
        RequestError: where it cannot be divided so.
    """
    if data.fold is not None:
        return without_fold(whole, data.fold.number, data.fold.of, seed=seed)
    return split(whole, fraction=data.validation, seed=seed)


def labelled(dataset: Dataset, data: Data) -> Dataset:
    """The training part with the labels that a config makes of its own: some swapped on purpose, then those put right.

    Arguments:
        dataset: the training part as it was read.
        data: what the config says of it.

    Raises:
        RequestError: for a table of corrections that is not of these images.
    """
    if (noise := data.label_noise) is not None:
        labels = swapped(dataset.labels, len(dataset.classes), noise.swap, seed=noise.seed)
        name = f"{dataset.name} with {100 * noise.swap:.3g} % of its labels swapped"
        dataset = replace(dataset, name=name, labels=labels, remarks=(*dataset.remarks, *noise_told(data)))
    return dataset if data.corrections is None else corrected(dataset, Path(data.corrections).expanduser())


def noise_told(data: Data) -> tuple[str, ...]:
    """A sentence where labels are wrong on purpose; none where they are as they come."""
    noise = data.label_noise
    if noise is None:
        return ()
    return (
        f"{100 * noise.swap:.3g} % of the labels of the training and validation images are wrong on purpose "
        f"(data.label_noise, seed {noise.seed})",
    )


def training_images(config: Config, place: DataPlace, *, whole: Dataset | None = None) -> TrainingImages:
    """Load the training part (or take `whole` for it), split it, as it came or else as the config says, and take of it
    what the config takes."""
    if whole is None:
        whole = images_of(config, place, "train")
    parts = divided(whole, config.data, config.split_seed)
    train = whole.take(parts.train)
    if config.data.take is not None:
        train = train.take(balanced_first(train, config.data.take, seed=config.split_seed))
    validation = whole.take(parts.validation) if len(parts.validation) else None
    return TrainingImages(train, validation, _statistics(config, train))


def _statistics(config: Config, train: Dataset) -> ChannelStatistics:
    """Those that the config names, or those of the training part.

    Raises: RequestError where it names others than one for each channel.
    """
    mean, std = config.data.mean, config.data.std
    if mean is None and std is None:
        return channel_statistics(train.images)
    channels = train.shape[0]
    for name, values in (("mean", mean), ("std", std)):
        if values is None:
            raise RequestError(f"data.{name} is not given, and the other of mean and std is; give both or neither")
        if len(values) != channels:
            raise RequestError(f"data.{name} has {len(values)} numbers, and the images {channels} channels")
    return ChannelStatistics(tuple(mean or ()), tuple(std or ()))


def evaluation_images(run: Run, config: Config, part: str, place: DataPlace) -> Dataset:
    """The `train`, `validation` or `test` images of a run, the split made again from its seed.

    Raises: RequestError when the run has no such part, or the data is no longer what the run was trained on.
    """
    check_there(run, config, place)
    if part == "test":
        images = images_of(config, place, "test")
    else:
        halves = training_images(config, place)
        if part == "validation" and halves.validation is None:
            raise RequestError(f"the run {run.name} kept no validation part (data.validation is 0); use `split` test")
        check_unchanged(run, halves)
        images = halves.train if part == "train" or halves.validation is None else halves.validation
    _check_kind(run, images.classes, images.shape)
    return images


def check_there(run: Run, config: Config, place: DataPlace) -> None:
    """Refuse a run whose images are neither where it had them nor where `place` says that they are now.

    Raises: RequestError with the way out.
    """
    dataset = config.data.dataset
    if facts_of(dataset).source != "own" or place.moved is not None:
        return
    root = place.base / Path(dataset.options["path"]).expanduser()
    if not root.exists():
        raise RequestError(
            f"{root}: no such folder or CSV file, and the run {run.name} had its images there; "
            "name where they are now with `data`"
        )


def check_unchanged(run: Run, halves: TrainingImages) -> None:
    """Refuse `halves` that are not what the run was trained on, as far as counts and statistics tell.

    Another image makes another split: a resumed run would train on its validation part, an evaluation be on images
    that were trained on.

    Raises: RequestError when they are others.
    """
    then, now = run.record.data, halves.facts()
    if then.classes != now.classes or then.shape != now.shape:
        _check_kind(run, now.classes, now.shape)
    since = f"the data has changed since the run {run.name} was trained"
    if (then.train, then.validation) != (now.train, now.validation):
        raise RequestError(
            f"{since}: {then.train:,} training and {then.validation:,} validation images then, {now.train:,} and "
            f"{now.validation:,} now{_other_parts(then, now)}"
        )
    changes = (abs(a - b) for a, b in zip((*then.mean, *then.std), (*now.mean, *now.std), strict=True))
    if max(changes) > DECODERS_DIFFER:
        raise RequestError(f"{since}: mean {_listed(then.mean)} then, {_listed(now.mean)} now, of as many images")


def _other_parts(then: DataFacts, now: DataFacts) -> str:
    """What to say where the validation part is a folder of its own in one of the two only."""
    came, comes = then.places.get("validation"), now.places.get("validation")
    if (came is None) == (comes is None):
        return ""
    if came is None:  # of a run from before such folders were taken, or to which one was added
        return (
            f"; the validation part was cut from the training part, and is now {comes}; "
            f"`data` {shlex.quote(now.places['train'])} divides the training part as then"
        )
    return f"; the validation part was {came}, and is now cut from the training part"


def _check_kind(run: Run, classes: tuple[str, ...], shape: tuple[int, ...]) -> None:
    facts = run.record.data
    if classes != facts.classes:
        raise RequestError(
            f"the data set has the classes {_shortened(classes)}; the run {run.name} was trained on "
            f"{_shortened(facts.classes)}{_first_other(classes, facts.classes)}"
        )
    if shape != facts.shape:
        raise RequestError(f"the images are {shape}; the run {run.name} was trained on {facts.shape}")


def _shortened(names: tuple[str, ...]) -> str:
    return some([name[:LETTERS_SHOWN] for name in names], CLASSES_SHOWN)


def _first_other(now: tuple[str, ...], then: tuple[str, ...]) -> str:
    """Tell where two lists that are too long to be shown begin to differ; nothing for short ones."""
    if max(len(now), len(then)) <= CLASSES_SHOWN:
        return ""
    here, there = next(pair for pair in zip_longest(now, then, fillvalue="none") if pair[0] != pair[1])
    return f"; the first that differ are '{here[:LETTERS_SHOWN]}' and '{there[:LETTERS_SHOWN]}'"


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)


def sample_indices(n: int, count: int, seed: int, purpose: str) -> Int64[Tensor, "k"]:
    """Draw at most `count` of the numbers 0 … n − 1, in order, the same ones for the same seed and purpose."""
    if count >= n:
        return torch.arange(n)
    generator = torch.Generator().manual_seed(derive_seed(seed, purpose))
    return torch.randperm(n, generator=generator)[:count].sort().values


def fixed_sample(dataset: Dataset, count: int, seed: int, purpose: str) -> Dataset:
    """Draw at most `count` of the images, those at `sample_indices`."""
    return dataset if count >= len(dataset) else dataset.take(sample_indices(len(dataset), count, seed, purpose))
