"""`cnnlab data`: statistics, leaks between the parts, and a look at the augmentation."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor

from cnnlab.config.config import Config, check_config, read_config
from cnnlab.core.arithmetic import evenly
from cnnlab.core.errors import RequestError, unknown
from cnnlab.core.yaml import parse
from cnnlab.data.batches import TrainingBatches, denormalise
from cnnlab.data.dataset import Dataset
from cnnlab.data.decoding import image_header
from cnnlab.data.leaks import Leaks, dataset_leaks
from cnnlab.data.parallel import in_parallel
from cnnlab.data.registry import DATASETS
from cnnlab.data.statistics import ChannelStatistics, channel_statistics
from cnnlab.network.session import Session
from cnnlab.project.data.report import LeakCount, data_report, leak_blocks
from cnnlab.project.data.report import preview_report as images_report
from cnnlab.runs.images import origins, training_images
from cnnlab.view.blocks import Figure, Report, Text
from cnnlab.view.drawings import Gallery, tiles

PAIRS = 16
"""So many doubles are drawn."""


LOOKED_AT = 10_000
"""Images of which the size and mode are read, evenly out of more: some seconds."""


@dataclass(frozen=True)
class Sources:
    """The images as they lie on disk, before they become squares of one size."""

    looked_at: int
    """How many these figures are of: all, or `LOOKED_AT` of them."""
    sizes: Mapping[tuple[int, int], int]
    """How many images have each (width, height), in pixels, the commonest first."""
    modes: Mapping[str, int]
    """How many images have each kind of pixels, in pillow's words, the commonest first."""


def sources(paths: Sequence[str]) -> Sources:
    """Read the beginning of each file; the pixels are not decoded."""
    chosen = evenly(list(paths), LOOKED_AT)
    headers = list(in_parallel(lambda path: image_header(Path(path)), chosen))
    sizes = Counter((header.width, header.height) for header in headers)
    modes = Counter(header.mode for header in headers)
    return Sources(len(headers), dict(sizes.most_common()), dict(modes.most_common()))


@dataclass(frozen=True)
class DataStatistics:
    """Statistics of the whole training part, train and validation together."""

    name: str
    count: int
    shape: tuple[int, int, int]
    classes: dict[str, int]
    """Images of each class."""
    statistics: ChannelStatistics
    train: tuple[int, ...]
    """Images of each class that are trained on …"""
    validation: tuple[int, ...]
    """Images of each class that are kept for validation."""
    skipped: tuple[str, ...]
    origins: Mapping[str, str]
    """Which folder or file is which part; none where the data set is not the user's own."""
    remarks: tuple[str, ...]
    """What a person should know of the parts and their classes."""
    sources: Sources | None
    """None where the images are no files of the user's own."""

    def report(self) -> Report:
        """The facts as tables."""
        return data_report(
            name=self.name,
            classes=tuple(self.classes),
            shape=self.shape,
            counts={"train": self.train, "validation": self.validation},
            mean=self.statistics.mean,
            std=self.statistics.std,
            statistics_of="whole training (train and validation)",
            skipped=self.skipped,
            origins=self.origins,
            remarks=self.remarks,
            sources=() if self.sources is None else source_rows(self.sources),
        )


def source_rows(found: Sources) -> tuple[tuple[str, str], ...]:
    """The sizes and modes in words: what, and what was found."""
    areas = sorted(found.sizes, key=lambda size: (size[0] * size[1], size))
    (width, height), count = next(iter(found.sizes.items()))
    rows = [("images looked at", f"{found.looked_at:,}"), ("commonest size", f"{width} × {height} ({count:,})")]
    if len(areas) > 1:
        small, large = areas[0], areas[-1]
        rows += [("smallest", f"{small[0]} × {small[1]}"), ("largest", f"{large[0]} × {large[1]}")]
        rows.append(("different sizes", f"{len(areas):,}"))
    return (*rows, ("modes", ", ".join(f"{mode} {number:,}" for mode, number in found.modes.items())))


@dataclass(frozen=True)
class LeakCheck:
    """Images of the part `second` that are in the part `first` too."""

    first: str
    second: str
    images: tuple[Tensor, Tensor]
    """The images of both parts: bytes [n, c, h, w]."""
    leaks: Leaks


def data_config(source: str, overrides: Sequence[str], session: Session) -> Config:
    """Read the config in the file `source`, or make one for the data set of that name.

    Arguments:
        source: a path, or a name such as `cifar10`.
        overrides: such as `data.validation=0.2`.
        session: whether plugins may be run.

    Raises:
        RequestError: when it is neither, and where the config has a mistake.
    """
    if Path(source).suffix in (".yaml", ".yml") or Path(source).exists():
        return read_config(Path(source), overrides, allow_plugins=session.allow_plugins)
    if source not in DATASETS:
        raise RequestError(
            f"{source}: no such config file, and {unknown('data set', source, [e.name for e in DATASETS])}"
        )
    tree = parse(f"data: {{dataset: {source}}}\nmodel: [global_avg_pool, linear]", source)
    return check_config(tree, overrides, default_name=source, base=Path())


def data_statistics(config: Config, session: Session) -> DataStatistics:
    """Count the images of the training part, and measure their channels.

    Arguments:
        config: of which `data` counts.
        session: where data lies.

    Returns:
        Counts of each class and half; mean and standard deviation of each channel, of pixels in 0 … 1.

    Raises:
        RequestError: where the data is not there or is damaged.

    Example:
        >>> from cnnlab.network.session import Session
        >>> from cnnlab.project.data.run import data_config, data_statistics
        >>> session, few = Session(), ["data.dataset={shapes: {train_count: 50}}"]
        >>> facts = data_statistics(data_config("shapes", few, session), session)
        >>> facts.count, sum(facts.train), sum(facts.validation)
        (50, 40, 10)
    """
    whole: Dataset = config.data.dataset.build(place=session.place, part="train")
    halves = training_images(config, session.place, whole=whole)
    channels, height, width = whole.shape
    none = (0,) * len(whole.classes)
    return DataStatistics(
        name=whole.name,
        count=len(whole),
        shape=(channels, height, width),
        classes=dict(zip(whole.classes, whole.counts().tolist(), strict=True)),
        statistics=channel_statistics(whole.images),
        train=tuple(halves.train.counts().tolist()),
        validation=tuple(halves.validation.counts().tolist()) if halves.validation else none,
        skipped=whole.skipped,
        origins=origins(whole.places, config.data.validation),
        remarks=halves.remarks,
        sources=sources(whole.paths) if whole.paths is not None else None,
    )


def leak_checks(config: Config, session: Session, *, with_test: bool = False, max_distance: int = 4) -> list[LeakCheck]:
    """Find images that are in two parts at once: train and validation, and both and the test part when asked to.

    Arguments:
        config: of which `data` counts.
        session: where data lies.
        with_test: whether the test part is opened, too.
        max_distance: bits of 64 in which the perceptual hashes of near images may differ.

    Returns:
        What two parts have in common, for each pair of parts; `leaks_report` draws it.

    Raises:
        RequestError: when there is nothing to compare with.
    """
    halves = training_images(config, session.place)
    parts = {"train": halves.train}
    if halves.validation:
        parts["validation"] = halves.validation
    if with_test:
        parts["test"] = config.data.dataset.build(place=session.place, part="test")
    if len(parts) < 2:
        raise RequestError("data.validation is 0, so there is one part only; compare with the test part: `with_test`")
    return [
        LeakCheck(
            a, b, (parts[a].images, parts[b].images), dataset_leaks(parts[a], parts[b], max_distance=max_distance)
        )
        for a, b in combinations(parts, 2)
    ]


def leaks_report(checks: Sequence[LeakCheck]) -> Report:
    """How many leak, with the images of the first pairs side by side."""
    counts = [LeakCount(c.first, c.second, len(c.leaks.exact), len(c.leaks.near)) for c in checks]
    blocks = list(leak_blocks(counts))
    for check in checks:
        if check.leaks.groups:
            both = ", ".join(check.leaks.groups[:20])
            blocks.append(Text(f"{both}: in {check.first} and in {check.second}", "bad", "groups on both sides"))
        pairs = torch.cat([check.leaks.exact, check.leaks.near])[:PAIRS]
        if len(pairs):
            blocks.append(_pairs_figure(check, pairs))
    return Report("Leaks between the parts", tuple(blocks))


def _pairs_figure(check: LeakCheck, pairs: Tensor) -> Figure:
    first, second = check.images
    images = [image for a, b in pairs.tolist() for image in (first[a], second[b])]
    captions = [text for a, b in pairs.tolist() for text in (f"{check.first} {a}", f"{check.second} {b}")]
    gallery = Gallery(tiles(images), captions=tuple(captions), columns=8)
    title = f"In {check.first} and in {check.second}: the first {len(pairs)} pairs"
    return Figure(f"leaks-{check.first}-{check.second}", title, gallery, "Each image beside its double.")


def preview_report(config: Config, session: Session, *, count: int = 8, epochs: int = 7) -> Report:
    """Draw images of the training part beside what augmentation makes of them.

    Arguments:
        config: of which `data` counts, and the seed.
        session: where data lies.
        count: of the images, evenly out of the part; they are mixed with one another (mixup, cutmix).
        epochs: in how many of the first epochs.

    Returns:
        One figure, a row an image.
    """
    halves = training_images(config, session.place)
    # evenly: images that lie in folders come class by class
    few = halves.train.take(torch.tensor(evenly(range(len(halves.train)), max(2, count))[:count]))
    batches = TrainingBatches(
        few.images,
        few.labels,
        batch_size=len(few),
        seed=config.seed,
        augmentations=[choice.build(classes=len(few.classes)) for choice in config.data.augment],
        statistics=halves.statistics,
        classes=len(few.classes),
    )
    augmented = []
    for epoch in range(epochs):
        batch = next(batches.epoch(epoch))
        images = (denormalise(batch.images, halves.statistics) * 255).round().to(torch.uint8)
        augmented.append(images[batch.indices.argsort()])
    return images_report(few.images, augmented, few.labels.tolist(), classes=few.classes, name=few.name)
