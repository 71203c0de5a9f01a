"""`cnnlab config check`: everything about a config that can be known without training."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import torch

from cnnlab.config.config import Config
from cnnlab.config.learning import parameters_of
from cnnlab.config.least_memory import LeastMemory, check_memory_suffices, least_memory
from cnnlab.config.proxy import in_the_proxy, proxy_config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import Component
from cnnlab.data.batches import ChannelStatistics, TrainingBatches
from cnnlab.data.classes import chosen_classes
from cnnlab.data.decoding import image_header
from cnnlab.data.folder import Contents, list_contents
from cnnlab.data.listing import SHOWN, Listing
from cnnlab.data.registry import facts_of
from cnnlab.fit.freezing import Freezing
from cnnlab.fit.terms import terms_of
from cnnlab.models.build import parameter_count
from cnnlab.models.own import check_arguments, said_to
from cnnlab.models.own_model import OwnModel
from cnnlab.network.fresh import new_built
from cnnlab.network.inheritance import inherit
from cnnlab.network.session import Session
from cnnlab.runs.images import origins
from cnnlab.runs.record import MOST_VALUES, InheritedFacts
from cnnlab.training.setup import resolution_of

LOOKED_AT = 20
"""Images of each class of which the beginning is read."""


@dataclass(frozen=True)
class Checked:
    """What a sound config makes."""

    layers: int | None
    """Entries of `model`; a layer made of layers counts once. None of a network in Python."""
    parameters: int | None
    """None where the network could not be built, because the shape or the number of classes is not known."""
    shape: Shape | None
    """(channels, height, width) of an image, in pixels; None where it is not known without the images."""
    classes: int | None
    parts: Mapping[str, str] = field(default_factory=dict)
    """Which folder or file is which part; nothing where the data set is not the user's own."""
    remarks: tuple[str, ...] = ()
    """What a person should know of the images, and of the weights that a training begins with."""
    trainable: int | None = None
    """How many parameters learn in the first epoch; None where the network could not be built."""
    inherited: InheritedFacts | None = None
    """What a training would take over from elsewhere."""

    @property
    def sentence(self) -> str:
        """`fine: 8 layers, 288,746 parameters`."""
        layers = [] if self.layers is None else [f"{self.layers} layer{'' if self.layers == 1 else 's'}"]
        if self.parameters is not None:
            return f"fine: {', '.join([*layers, f'{self.parameters:,} parameters'])}"
        return f"fine as far as its options go{': ' * bool(layers)}{''.join(layers)}"


def check(config: Config, session: Session, *, shape: Shape | None = None, classes: int | None = None) -> Checked:
    """Build all that a config names, and look at the folders of images, without loading them.

    Arguments:
        config: to check.
        session: where data lies.
        shape: (channels, height, width) of an image, in pixels; that of the data set by default.
        classes: how many there are; with it the user's own images need not be there.

    Returns:
        The size of what it makes.

    Raises:
        RequestError: for a layer that does not fit, parts of the config that do not fit each other, and images that
            no training could start with.

    Example:
        >>> from cnnlab.config import QUICKSTART
        >>> from cnnlab.config.config import read_config
        >>> from cnnlab.network.session import Session
        >>> from cnnlab.project.config.check import check
        >>> check(read_config(QUICKSTART), Session()).sentence
        'fine: 7 layers, 98,330 parameters'
    """
    known_shape, known_classes = config.data.known
    contents, names = None, tuple[str, ...]()
    if facts_of(config.data.dataset).source == "own" and classes is None:
        try:
            contents = list_contents(session.place, **config.data.dataset.options)
        except RequestError as error:
            raise config.data.dataset.located(error) from error
        chosen = config.data.classes
        names = tuple(contents.classes)
        names = names if chosen is None else tuple(names[place] for place in chosen_classes(chosen, names))
        known_classes = len(names)
    shape, classes = shape or known_shape, classes or known_classes
    config.schedule.build(epochs=config.training.epochs)
    if shape is None or classes is None:
        return Checked(_layers(config), None, shape, classes)
    _try_augmentations(config, shape, classes)
    remarks: list[str] = []
    with said_to(remarks.append):
        built = new_built(config, shape, classes)
    network = built.model
    resolution = resolution_of(config, network, shape)
    remarks += [resolution.sentence] if resolution is not None else []
    proxy = proxy_config(config)
    if proxy is not None:
        with in_the_proxy():
            new_built(proxy, shape, classes)
    parameters = parameter_count(network)
    inherited = None
    if config.begins_elsewhere:
        inherited = inherit(network, config, shape, names, session, count=classes, fetch=False)
        remarks += inherited.remarks
    with config.told_by_place():
        freezing = Freezing(network, config.freeze, config.unfreeze, statistics=config.frozen_statistics)
        if config.freeze:
            remarks.append(freezing.sentence)
    loss = config.loss.build(counts=torch.ones(classes, dtype=torch.int64))
    learning = parameters_of(config, network, freezing, loss)
    remarks += learning.remarks
    terms_of(config.optimizer.build(parameters=learning), learning, epochs=config.training.epochs)
    if config.clipping:
        config.clipping.build(model=network)
    try:
        counts = _counts(config.data.dataset, contents)
    except RequestError as error:
        raise config.data.dataset.located(error) from error
    least = least_memory(network, config, largest_layer=built.largest_layer, train=counts, evaluated=counts)
    remarks += (*built.remarks, *_memory_remarks(least))
    facts = Checked(
        _layers(config),
        parameters,
        shape,
        classes,
        remarks=tuple(remarks),
        trainable=freezing.trainable,
        inherited=None if inherited is None else inherited.facts,
    )
    if contents is None:
        return facts
    places = {part: str(path) for part, path in contents.parts.named.items()}
    return replace(
        facts,
        parts=origins(places, config.data),
        remarks=(*remarks, *contents.remarks, *_first_faults(contents.opened("train").values(), config)),
    )


def _layers(config: Config) -> int | None:
    """How many layers are written; a network in Python is looked for, and its arguments are checked.

    Raises: RequestError where it is not there, or has no such parameter.
    """
    if not isinstance(config.model, OwnModel):
        return len(config.model)
    try:
        check_arguments(config.model.own, base=config.model.base)
    except RequestError as error:
        raise config.model.located(error)  # noqa: B904  the same error
    return None


def _counts(dataset: Component, contents: Contents | None) -> int:
    """How many images there are to learn from and to choose by, at most.

    Raises: RequestError where so many do not fit into memory.
    """
    if contents is not None:
        return sum(len(listing.paths) for listing in contents.opened("train").values())
    return facts_of(dataset).most(dataset.options)


def _memory_remarks(least: LeastMemory) -> tuple[str, ...]:
    """A config may be meant for another machine, so it is no error here."""
    try:
        check_memory_suffices(least, torch.device("cpu"))
    except RequestError as error:
        return (f"it cannot be trained here: {error}",)
    return ()


def _first_faults(listings: Iterable[Listing], config: Config) -> list[str]:
    """What is wrong with the first images of each class.

    Raises: RequestError where that ends a training.
    """
    first: list[Path] = []
    for listing in listings:
        seen: Counter[str] = Counter()
        for path, label in zip(listing.paths, listing.labels, strict=True):
            seen[label] += 1
            if seen[label] <= LOOKED_AT:
                first.append(path)
    faults = []
    for path in first:
        try:
            image_header(path)
        except RequestError as error:
            faults.append(str(error))
    if not faults:
        return []
    if config.data.dataset.options["on_error"] == "fatal":
        raise RequestError(*faults[:SHOWN])
    more = [f"and {len(faults) - SHOWN:,} more"] if len(faults) > SHOWN else []
    return [f"{len(faults):,} of the {len(first):,} images looked at cannot be read:", *faults[:SHOWN], *more]


def _try_augmentations(config: Config, shape: Shape, classes: int) -> None:
    """Two black images are augmented: some augmentations fit certain images only."""
    channels = shape[0]
    batches = TrainingBatches(
        torch.zeros(2, *shape, dtype=torch.uint8),
        torch.zeros(2, dtype=torch.int64),
        batch_size=2,
        seed=config.seed,
        augmentations=[choice.build(classes=classes) for choice in config.data.augment],
        statistics=ChannelStatistics((0.5,) * channels, (0.5,) * channels),
        classes=classes,
    )
    next(batches.epoch(0))


def shape_of(text: str) -> Shape:
    """`3,32,32` as (channels, height, width).

    Raises: RequestError for anything else.
    """
    parts = text.replace("x", ",").split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise RequestError(f"`shape` is '{text}', expected channels, height and width, such as 3,32,32")
    shape = tuple(int(part) for part in parts)
    if prod(shape) > MOST_VALUES:
        raise RequestError(f"`shape` is '{text}'; an image has {MOST_VALUES:,} values at most")
    return shape
