"""Where the weights that a training begins with come from: a run, a file, a zoo, or a config's counterpart in one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from cnnlab.config.config import Config, read_config
from cnnlab.config.shipped import SUFFIXES, shipped_config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import CnnlabError, RequestError
from cnnlab.data.batches import ChannelStatistics
from cnnlab.fit.freezing import head_of
from cnnlab.network.fresh import unset
from cnnlab.network.from_config import TORCHVISION, by_structure, counterpart_of
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.network.weights.formats import names_a_file
from cnnlab.network.weights.mismatch import OtherClassesError, OtherNetworkError
from cnnlab.network.weights_file import LoadedWeights, load_weights_file
from cnnlab.network.zoo_weights import DEFAULT, Pretrained, known_by_file, weights_of_file, zoo_weights
from cnnlab.network.zoos import ZOOS

COUNTER = "num_batches_tracked"
"""What batch norm counts, and old files lack."""

CHANNELS = (3, 1)
"""Of the images that a file's network may have seen, where they are others than the config's."""


@dataclass(frozen=True)
class Origin:
    """Weights and what they were trained on."""

    name: str
    weights: Mapping[str, Tensor]
    """Under the network's own names."""
    classes: tuple[str, ...] = ()
    """Names of its logits, where they are known."""
    shape: Shape | None = None
    """Of the images that it saw."""
    statistics: ChannelStatistics | None = None
    """By which those were normalised."""
    structure: bool = False
    """Whether its tensors have other names, and were paired in the order of a forward pass."""
    notes: tuple[str, ...] = ()
    """What had to be done for them, in sentences without an end."""
    layers: str = ""
    """What a config would say to have the layers that they were learned in, in words, where that is known."""


def key_of(config: Config) -> str:
    """The key by which a config names the weights that its training begins with."""
    return "weights" if config.weights is not None else "init_from"


def other_layers(key: str, layers: str = "") -> str:
    """The way out where weights are of other layers than the network's, as a sentence's end.

    Arguments:
        key: of the config, which named the weights.
        layers: what it would say to have theirs, in words; '' where that is not known.

    Example:
        >>> other_layers("init_from", "the model of runs/a/config.yaml")
        'weights fit the layers that they were learned in: take the model of runs/a/config.yaml, or leave init_from out'
    """
    taken = f"take {layers}" if layers else "write their network as the model"
    return f"weights fit the layers that they were learned in: {taken}, or leave {key} out"


def origin_of(config: Config, model: nn.Module, shape: Shape, session: Session, *, fetch: bool = True) -> Origin:
    """The weights that a config's training begins with.

    Arguments:
        config: with `init_from` or `weights`.
        model: its network.
        shape: (channels, height, width) of its images, in pixels.
        session: where runs lie.
        fetch: whether a zoo's weights are downloaded; otherwise shapes stand in for those that are not here.

    Raises:
        RequestError: where there is no such origin, or its weights are another network's, beginning with the key.
        WorkError: where a zoo's weights cannot be downloaded, likewise.
    """
    key = key_of(config)
    if config.weights is not None and config.init_from is not None:
        raise RequestError("weights: init_from says as well what the network begins with; leave one of them out")
    try:
        return _by_weights(config, model, shape, fetch) or _found(config, model, shape, session, fetch)
    except CnnlabError as error:
        first, *more = error.lines
        error.args = (first if first.startswith(key) else f"{key}: {first}", *more)
        raise


def _by_weights(config: Config, model: nn.Module, shape: Shape, fetch: bool) -> Origin | None:
    """By the key `weights`, which is of the network's own counterpart, or a file; None without it."""
    if config.weights is None:
        return None
    if names_a_file(config.weights):
        return _of_file(Path(config.weights).expanduser(), model, config, shape)
    counterpart = counterpart_of(config)
    if counterpart is None:
        raise RequestError(
            f"weights is '{config.weights}', no file, and the config names no counterpart that has weights by name; "
            "give a file, or add such as counterpart: torchvision:resnet50"
        )
    return _of_zoo(counterpart, config.weights, model, config, shape, fetch)


def _found(config: Config, model: nn.Module, shape: Shape, session: Session, fetch: bool) -> Origin:
    """By the key `init_from`."""
    text = config.init_from or ""
    first, _, rest = text.partition(":")
    if first in ZOOS:
        name, _, wanted = rest.partition(":")
        return _of_zoo(f"{first}:{name}", wanted, model, config, shape, fetch)
    path = Path(text).expanduser()
    if path.is_file() and not text.endswith(SUFFIXES):
        return _of_file(path, model, config, shape)
    run = session.named or session.runs
    if not os.path.lexists(run / text) and (file := _config_named(first)) is not None:
        other = read_config(file, allow_plugins=session.allow_plugins)
        counterpart = counterpart_of(other)
        if counterpart is None:
            raise RequestError(
                f"init_from is '{text}': {file} names no counterpart in a zoo, so it has no weights to begin with; "
                "train it, and name that run"
            )
        return _of_zoo(counterpart, rest, model, config, shape, fetch)
    try:
        found = session.run(text)
    except RequestError as error:
        raise RequestError(
            f"init_from is '{text}': no file of weights, no network such as torchvision:resnet18, no config of cnnlab "
            f"such as resnet18, and {error}"
        ) from None
    network = open_run(found, session)
    weights = {name: tensor.cpu() for name, tensor in network.model.state_dict().items()}
    statistics = network.preparation.statistics
    layers = f"the model of {found.path}/config.yaml"
    return Origin(f"the run {found.name}", weights, network.classes, network.shape, statistics, layers=layers)


def _config_named(text: str) -> Path | None:
    """A config by its file, or one of cnnlab's by its name."""
    if text.endswith(SUFFIXES):
        return Path(text).expanduser()
    return None if not text or text.startswith((".", "/", "~")) else shipped_config(text)


def _of_zoo(network: str, wanted: str, model: nn.Module, config: Config, shape: Shape, fetch: bool) -> Origin:
    named = zoo_weights(network, wanted or DEFAULT)
    notes: tuple[str, ...] = ()
    if fetch or named.here is not None:
        source = named.loaded()
    else:
        empty = named.offer.model(True)
        place = named.source.path
        source = Pretrained(
            network, named.title, empty, place, named.offer.preparation, named.offer.classes, named.count
        )
        notes = (f"{named.title} are not here yet: training downloads {named.source.url} to {place}",)
    return _of_pretrained(source, model, config, shape, notes)


def _of_pretrained(
    source: Pretrained, model: nn.Module, config: Config, shape: Shape, notes: tuple[str, ...] = (), known: bool = True
) -> Origin:
    """The weights under the network's own names: as they are, or by structure.

    known: whether the preparation is that of these weights.
    """
    given = source.model.state_dict()
    structure = _names(given) != _names(model.state_dict())
    prepared = source.preparation
    zoo, _, name = source.network.partition(":")
    layers = f"model: {{python: {TORCHVISION}{name}}}" if zoo == "torchvision" else ""
    if structure:
        try:
            given = by_structure(config, source, (prepared.shape[0], *shape[1:])).state_dict()
        except RequestError as error:
            raise _with_way_out(error, config, layers) from None
    return Origin(
        source.title,
        given,
        source.classes,
        prepared.shape,
        prepared.statistics if known else None,
        structure,
        (*source.notes, *notes),
        layers,
    )


def _with_way_out(error: RequestError, config: Config, layers: str = "") -> RequestError:
    """`error`, which says how layers differ, with what to do about it."""
    first, *more = error.lines
    way = other_layers(key_of(config), layers)
    error.args = (first, *more, way) if more else (f"{first}; {way}",)
    return error


def _names(weights: Mapping[str, Tensor]) -> set[str]:
    return {name for name in weights if not name.endswith(COUNTER)}


def _of_file(path: Path, model: nn.Module, config: Config, shape: Shape) -> Origin:
    """The weights in a file under the network's own names, or under its counterpart's."""
    if config.counterpart is not None:
        try:
            source = weights_of_file(config.counterpart, path)
        except RequestError:
            pass  # whether they are the network's own is seen, and told, next
        else:
            return _of_pretrained(
                source, model, config, shape, known=known_by_file(config.counterpart, path) is not None
            )
    outputs = next(iter(_outputs(model)))
    try:
        twin, loaded = _filled(path, config, shape, outputs)
    except RequestError as error:
        for channels in (one for one in CHANNELS if one != shape[0]):
            try:
                twin, loaded = _filled(path, config, (channels, *shape[1:]), outputs)
            except CnnlabError:
                continue
            break
        else:
            raise (_with_way_out(error, config) if isinstance(error, OtherNetworkError) else error) from None
    return Origin(str(path), twin.state_dict(), notes=loaded.notes)


def _filled(path: Path, config: Config, shape: Shape, outputs: int) -> tuple[nn.Module, LoadedWeights]:
    """A twin with the weights of the file, for as many classes as they are for."""
    twin = unset(config, shape, outputs).model
    try:
        return twin, load_weights_file(twin, path)
    except OtherClassesError as error:
        twin = unset(config, shape, error.classes).model
        return twin, load_weights_file(twin, path)


def _outputs(model: nn.Module) -> list[int]:
    """How many logits the head makes."""
    _, head = head_of(model)
    return [len(one) for one in head.parameters(recurse=False) if one.ndim > 1]
