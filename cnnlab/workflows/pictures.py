"""The pictures of a config or of a run, in the parts that training and evaluation use."""

from dataclasses import dataclass

import torch

from cnnlab.config import Config
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.data.dataset import DataPlace, Dataset
from cnnlab.data.splits import split
from cnnlab.data.statistics import ChannelStatistics, channel_statistics
from cnnlab.runs.folder import Run
from cnnlab.runs.record import DataFacts


@dataclass(frozen=True)
class TrainingPictures:
    """The training part in its two halves. The test part is not among them: only `cnnlab eval` opens it."""

    train: Dataset
    validation: Dataset | None
    statistics: ChannelStatistics
    """Of the half that is trained on."""

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
        )


def training_pictures(config: Config, place: DataPlace, *, whole: Dataset | None = None) -> TrainingPictures:
    """Load the training part (or take `whole` for it) and split it as the config says."""
    if whole is None:
        whole = config.data.dataset.build(place=place, part="train")
    parts = split(whole, fraction=config.data.validation, seed=config.seed)
    train = whole.take(parts.train)
    validation = whole.take(parts.validation) if len(parts.validation) else None
    return TrainingPictures(train, validation, channel_statistics(train.images))


def evaluation_pictures(run: Run, config: Config, part: str, place: DataPlace) -> Dataset:
    """The `train`, `validation` or `test` pictures of a run, the split made again from its seed.

    Raises: RequestError when the run has no such part, or the data is no longer what the run was trained on.
    """
    facts = run.record.data
    if part == "test":
        pictures: Dataset = config.data.dataset.build(place=place, part="test")
    else:
        halves = training_pictures(config, place)
        if part == "validation" and halves.validation is None:
            raise RequestError(f"the run {run.name} kept no validation part (data.validation is 0); use --split test")
        pictures = halves.train if part == "train" or halves.validation is None else halves.validation
        count = facts.train if part == "train" else facts.validation
        if len(pictures) != count:
            raise RequestError(
                f"the {part} part has {len(pictures)} pictures, and had {count} when the run {run.name} was trained; "
                "the data has changed since"
            )
    if pictures.classes != facts.classes:
        raise RequestError(
            f"the data set has the classes {', '.join(pictures.classes)}; the run {run.name} was trained on "
            f"{', '.join(facts.classes)}"
        )
    if pictures.shape != facts.shape:
        raise RequestError(f"the pictures are {pictures.shape}; the run {run.name} was trained on {facts.shape}")
    return pictures


def fixed_sample(dataset: Dataset, count: int, seed: int, purpose: str) -> Dataset:
    """At most `count` of the pictures, the same ones for the same seed and purpose."""
    if count >= len(dataset):
        return dataset
    generator = torch.Generator().manual_seed(derive_seed(seed, purpose))
    return dataset.take(torch.randperm(len(dataset), generator=generator)[:count].sort().values)
