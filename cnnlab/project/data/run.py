"""`cnnlab data`: statistics, leaks between the parts, and a look at the augmentation."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import torch

from cnnlab.config.config import Config, check_config, read_config
from cnnlab.core.arithmetic import evenly
from cnnlab.core.errors import RequestError, unknown
from cnnlab.core.yaml import parse
from cnnlab.data.batches import TrainingBatches, channel_statistics, denormalise
from cnnlab.data.decoding import image_header
from cnnlab.data.leaks import dataset_leaks
from cnnlab.data.parallel import in_parallel
from cnnlab.data.registry import DATASETS
from cnnlab.network.session import Session
from cnnlab.project.data.report import DataStatistics, LeakCheck, Sources
from cnnlab.project.data.report import preview_report as images_report
from cnnlab.runs.images import images_of, origins, training_images
from cnnlab.view.blocks import Report

LOOKED_AT = 10_000
"""Images of which the size and mode are read, evenly out of more: some seconds."""


def sources(paths: Sequence[str]) -> Sources:
    """Read the beginning of each file; the pixels are not decoded."""
    chosen = evenly(list(paths), LOOKED_AT)
    headers = list(in_parallel(lambda path: image_header(Path(path)), chosen))
    sizes = Counter((header.width, header.height) for header in headers)
    modes = Counter(header.mode for header in headers)
    return Sources(len(headers), tuple((*size, n) for size, n in sizes.most_common()), dict(modes.most_common()))


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
    whole = images_of(config, session.place, "train")
    halves = training_images(config, session.place, whole=whole)
    channels, height, width = whole.shape
    none = (0,) * len(whole.classes)
    statistics = channel_statistics(whole.images)
    return DataStatistics(
        name=whole.name,
        count=len(whole),
        shape=(channels, height, width),
        mean=statistics.mean,
        std=statistics.std,
        train=tuple(halves.train.counts().tolist()),
        validation=tuple(halves.validation.counts().tolist()) if halves.validation else none,
        classes=dict(zip(whole.classes, whole.counts().tolist(), strict=True)),
        skipped=whole.skipped,
        parts=origins(whole.places, config.data),
        remarks=halves.remarks,
        files=sources(whole.paths) if whole.paths is not None else None,
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
        parts["test"] = images_of(config, session.place, "test")
    if len(parts) < 2:
        raise RequestError("data.validation is 0, so there is one part only; compare with the test part: `with_test`")
    return [
        LeakCheck(
            a, b, (parts[a].images, parts[b].images), dataset_leaks(parts[a], parts[b], max_distance=max_distance)
        )
        for a, b in combinations(parts, 2)
    ]


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
