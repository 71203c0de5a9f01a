"""The network of a config, with fresh weights, those of a file, or those of its counterpart in a zoo."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import nn

from cnnlab.config.config import Config, read_config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.data.batches import ChannelStatistics
from cnnlab.data.fitting import FITS
from cnnlab.data.registry import facts_of
from cnnlab.models.by_structure import load_by_structure
from cnnlab.models.own_model import OwnModel
from cnnlab.network.described import shape_for
from cnnlab.network.fresh import new_built, new_network, unset
from cnnlab.network.fused import fused_for, holds_fused
from cnnlab.network.network import Network
from cnnlab.network.own import same_values
from cnnlab.network.preparation import Preparation
from cnnlab.network.session import Session
from cnnlab.network.weights.formats import format_of, names_a_file
from cnnlab.network.weights.mismatch import OtherClassesError
from cnnlab.network.weights_file import LoadedWeights, load_weights_file
from cnnlab.network.zoo_weights import Pretrained, weights_of_file, zoo_weights
from cnnlab.network.zoos import ZOOS
from cnnlab.runs.images import training_images

ASSUMED_CLASSES = 10
"""Number of classes where neither the config nor the command tells: it changes the last layer alone."""

TORCHVISION = "torchvision.models:"
"""How the place of torchvision's networks begins in Python."""


def of_config(
    path: Path, size: str | None, session: Session, for_images: bool, weights: str | None = None, key: str | None = None
) -> Network:
    """The network of a config.

    Arguments:
        path: of the file.
        size: of its images, as on the command line; by default that of the data set, or of the weights.
        session: where data lies, and whether plugins may be run.
        for_images: whether images are to go through it: its data is loaded then, for statistics and classes.
        weights: of the config's counterpart by name, or a file of weights under its own names or the counterpart's.
        key: where in the file they are.

    Returns:
        The network. With its counterpart's weights it is for their images and classes, and no longer for the data
        that the config names.

    Raises:
        RequestError: where the file, the data or the weights cannot be read, or do not fit.
        WorkError: where weights cannot be downloaded.
    """
    config = read_config(path, allow_plugins=session.allow_plugins)
    if weights is None:
        return _fresh(config, path, size, session, for_images)
    if not names_a_file(weights):
        return _as_counterpart(config, size, zoo_weights(_needed(config, path, weights), weights).loaded())
    file = Path(weights).expanduser()
    format_of(file)  # raises for what is no file of weights before data is loaded
    if not holds_fused(file) and (source := _of_counterparts_file(config, file, key)) is not None:
        return _as_counterpart(config, size, source)
    # before data is loaded: a file that does not fit needs none
    shape, outputs = _shape(config, path, size), config.data.made_for or ASSUMED_CLASSES
    try:
        found, loaded = _filled(config, shape, outputs, file, key)
    except OtherClassesError as error:
        found, loaded = _filled(config, shape, error.classes, file, key)
    said = f"weights of {loaded.path}" + (f" ({loaded.key})" if loaded.key else "")
    found = replace(found, trained=True, weights=said, weights_file=loaded.path)
    if for_images:
        classes, prepared = _of_data(config, shape, session)
        found, outputs = replace(found, classes=classes, prepared=prepared), len(classes)
    if found.logits != outputs:
        found = _for_its_own_classes(found)
    return replace(found, remarks=(*found.remarks, *loaded.notes))


def counterpart_of(config: Config) -> str | None:
    """The zoo's network that a config's is: the one that it names, or that its Python is.

    Arguments:
        config: with `counterpart`, or a network of torchvision by its place in Python.

    Returns:
        Such as `torchvision:resnet50`; None where there is none.
    """
    if config.counterpart is None and isinstance(config.model, OwnModel):
        python = config.model.python.partition("(")[0]
        return f"torchvision:{python.removeprefix(TORCHVISION)}" if python.startswith(TORCHVISION) else None
    return config.counterpart


def by_structure(config: Config, source: Pretrained, shape: Shape) -> nn.Module:
    """The config's network with a zoo's weights, for their classes: layers are paired by shape and by what they follow.

    Arguments:
        config: whose network it is.
        source: the zoo's network, whose names may be others.
        shape: (channels, height, width) of an image that both take, in pixels.

    Raises:
        RequestError: where they are not the same network, with the first place at which they differ.
    """
    model = unset(config, shape, source.count).model
    try:
        load_by_structure(model, source.model, shape)
    except RequestError as error:
        raise RequestError(f"{source.network} is not the same network as that of {config.name}: {error}") from None
    return model


def as_trained(config: Config, shape: Shape, statistics: ChannelStatistics, source: str) -> Preparation:
    """The preparation of images by the options of a config's data set, as far as it has such."""
    dataset = config.data.dataset
    if facts_of(dataset).source != "own":
        return Preparation(shape, "crop", statistics, source)
    fit, interpolation, share = (dataset.options[name] for name in ("fit", "interpolation", "crop_share"))
    return Preparation(shape, FITS[fit], statistics, source, interpolation, share)


def _fresh(config: Config, path: Path, size: str | None, session: Session, for_images: bool) -> Network:
    """The network of the config, for the images and classes of its data."""
    shape = _shape(config, path, size)
    classes, prepared = _of_data(config, shape, session) if for_images else ((), None)
    found = _made(config, shape, len(classes) or config.data.made_for or ASSUMED_CLASSES)
    return replace(found, classes=classes, prepared=prepared)


def _shape(config: Config, path: Path, size: str | None) -> Shape:
    """(channels, height, width) of its images, in pixels.

    Raises: RequestError where neither the data nor `size` tells it.
    """
    shape, _ = config.data.known
    shape = shape_for(size, shape or (3, 0, 0)) if size is not None else shape
    if shape is None:
        raise RequestError(f"{path}: the images of '{config.data.dataset.name}' have no known size; add `size`")
    return shape


def _of_data(config: Config, shape: Shape, session: Session) -> tuple[tuple[str, ...], Preparation]:
    """The classes of its data, which is loaded, and how an image is prepared."""
    halves = training_images(config, session.place)
    source = f"of the training part of {config.name}"
    return halves.train.classes, as_trained(config, shape, halves.statistics, source)


def _made(config: Config, shape: Shape, outputs: int) -> Network:
    """The network with fresh weights, for no data in particular."""
    fresh = _twins(config, shape, outputs)
    built = new_built(config, shape, outputs)
    given = isinstance(config.model, OwnModel) and same_values(built.model, fresh(config.seed + 1))
    return Network(
        name=config.name,
        origin="config",
        model=built.model,
        shape=shape,
        logits=outputs,
        trained=given,
        weights="the weights that its code gives it" if given else f"random weights (seed {config.seed})",
        config=config,
        fresh=None if given else fresh,
        remarks=built.answer,
    )


def _filled(config: Config, shape: Shape, outputs: int, file: Path, key: str | None) -> tuple[Network, LoadedWeights]:
    """The network with the weights of a file in it.

    Raises: as `load_weights_file`.
    """
    found = fused_for(_made(config, shape, outputs), file)
    return found, load_weights_file(found.model, file, key)


def _twins(config: Config, shape: Shape, outputs: int) -> Callable[[int], nn.Module]:
    def fresh(seed: int) -> nn.Module:
        return new_network(config.model_copy(update={"seed": seed}), shape, outputs)

    return fresh


def _for_its_own_classes(found: Network) -> Network:
    """A network for other classes than the config's data has, for which it is no longer."""
    remark = f"the weights are for {found.logits} classes, and so is the network made"
    return replace(found, classes=(), config=None, remarks=(*found.remarks, remark))


def _as_counterpart(config: Config, size: str | None, source: Pretrained) -> Network:
    """The network with its counterpart's weights, and what belongs to these."""
    shape = source.preparation.shape if size is None else shape_for(size, source.preparation.shape)
    model = by_structure(config, source, shape)
    return Network(
        name=config.name,
        origin="config",
        model=model,
        shape=shape,
        logits=source.count,
        trained=True,
        weights=f"{source.title}, loaded by structure",
        weights_file=source.file,
        classes=source.classes,
        fresh=_twins(config, shape, source.count),
        prepared=source.preparation,
        remarks=source.notes,
    )


def _needed(config: Config, path: Path, weights: str) -> str:
    """The config's counterpart.

    Raises: RequestError where it has none.
    """
    counterpart = counterpart_of(config)
    if counterpart is None:
        raise RequestError(
            f"`weights` is '{weights}', no file, and {path} names no counterpart that has weights by name; give a "
            "file, or add such as counterpart: torchvision:resnet50"
        )
    return counterpart


def _of_counterparts_file(config: Config, file: Path, key: str | None) -> Pretrained | None:
    """The counterpart with the weights of a file that has its names; None where it has not, or there is none."""
    if config.counterpart is None or config.counterpart.partition(":")[0] not in ZOOS:
        return None
    try:
        return weights_of_file(config.counterpart, file, key)
    except RequestError:
        return None  # whether they are the network's own is seen, and told, next
