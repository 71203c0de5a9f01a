"""Weights that a training begins with, from a run, a file, or a network of a zoo: all but the head must fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from cnnlab.config.config import Config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.data.batches import ChannelStatistics
from cnnlab.fit.freezing import head_of
from cnnlab.network.fresh import unset
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.network.weights.mismatch import OtherClassesError
from cnnlab.network.weights_file import load_weights_file
from cnnlab.network.zoo_weights import DEFAULT, zoo_weights
from cnnlab.network.zoos import ZOOS

SHOWN = 3
"""Names that an error lists of each kind."""


@dataclass(frozen=True)
class Origin:
    """Weights and what they were trained on."""

    name: str
    weights: Mapping[str, Tensor]
    classes: tuple[str, ...] = ()
    """Names of its logits, where they are known."""
    shape: Shape | None = None
    """Of the images that it saw."""
    statistics: ChannelStatistics | None = None
    """By which those were normalised."""


@dataclass(frozen=True)
class Inherited:
    """What a network took over."""

    origin: Origin
    head: tuple[str, ...]
    """Its tensors that begin at random all the same."""
    remarks: tuple[str, ...]

    @property
    def statistics(self) -> ChannelStatistics | None:
        """By which the origin's images were normalised."""
        return self.origin.statistics

    def differences(self, statistics: ChannelStatistics, shape: Shape) -> tuple[str, ...]:
        """A sentence for each way in which images are prepared otherwise than for the origin.

        Arguments:
            statistics: by which images are normalised now.
            shape: (channels, height, width) of them, in pixels.
        """
        said = []
        own = self.origin
        if own.shape is not None and own.shape != shape:
            said.append(f"{own.name} saw images of {_sized(own.shape)}, and these are {_sized(shape)}")
        if own.statistics is not None:
            if own.statistics == statistics:
                said.append(f"images are normalised as for {own.name}")
            else:
                said.append(f"images are normalised by another mean and std than for {own.name}")
        return tuple(said)


def inherit(model: nn.Module, config: Config, shape: Shape, classes: tuple[str, ...], session: Session) -> Inherited:
    """Copy the weights of the config's `init_from` into a network, but for the head where that is for other classes.

    Arguments:
        model: the config's, with fresh weights, which it keeps where nothing is copied.
        config: with `init_from` and `new_head`.
        shape: (channels, height, width) of its images, in pixels.
        classes: their names.
        session: where runs lie.

    Returns:
        What was taken.

    Raises:
        RequestError: for an origin that is not there, and for weights that do not fit, with both names and shapes; the
            network is as before then.
    """
    assert config.init_from is not None
    origin = _origin(config.init_from, model, config, shape, session)
    own = model.state_dict()
    fault = f"init_from: {origin.name} does not fit the network"
    missing = [name for name in own if name not in origin.weights and not name.endswith("num_batches_tracked")]
    foreign = [name for name in origin.weights if name not in own]
    if missing or foreign:
        listed = [_listed("lacks", missing, own), _listed("has", foreign, origin.weights)]
        raise RequestError(f"{fault}: it {' and '.join(filter(None, listed))}")
    other = [name for name in own if name in origin.weights and own[name].shape != origin.weights[name].shape]
    head_name, head = head_of(model)
    of_head = [f"{head_name}.{name}" if head_name else name for name, _ in head.named_parameters(recurse=False)]
    for name in other:
        theirs, ours = origin.weights[name].shape, own[name].shape
        if ours[:1] != (len(classes),) or theirs[1:] != ours[1:]:
            raise RequestError(f"{fault}: its {name} is {list(theirs)}, and the network's {list(ours)}")
    elsewhere = bool(origin.classes) and origin.classes != classes
    anew = elsewhere if config.new_head is None else config.new_head
    if other and config.new_head is False:
        name = other[0]
        raise RequestError(
            f"{fault}, and new_head is false: its {name} is {list(origin.weights[name].shape)}, and the network's "
            f"{list(own[name].shape)}"
        )
    left = tuple(dict.fromkeys([*other, *(of_head if anew else ())]))
    taken = {name: tensor for name, tensor in origin.weights.items() if name not in left}
    model.load_state_dict(taken, strict=False)
    remarks = [f"begins with the weights of {origin.name}: {len(taken)} of {len(own)} tensors"]
    if left:
        shapes = [
            f"{name} {list(origin.weights[name].shape)} there, {list(own[name].shape)} here" for name in left[:SHOWN]
        ]
        remarks.append(f"the head begins at random, for {len(classes)} classes: {'; '.join(shapes)}")
    return Inherited(origin, left, tuple(remarks))


def _origin(text: str, model: nn.Module, config: Config, shape: Shape, session: Session) -> Origin:
    zoo, colon, name = text.partition(":")
    if colon and zoo in ZOOS:
        bare, _, wanted = name.partition(":")
        source = zoo_weights(f"{zoo}:{bare}", wanted or DEFAULT).loaded()
        prepared = source.preparation
        return Origin(text, source.model.state_dict(), source.classes, prepared.shape, prepared.statistics)
    path = Path(text).expanduser()
    if path.is_file():
        return Origin(text, _of_file(path, model, config, shape))
    try:
        run = session.run(text)
    except RequestError as error:
        raise RequestError(
            f"init_from is '{text}': no file of weights, no network such as torchvision:resnet18, and {error}"
        ) from None
    network = open_run(run, session)
    weights = {name: tensor.cpu() for name, tensor in network.model.state_dict().items()}
    return Origin(f"the run {run.name}", weights, network.classes, network.shape, network.preparation.statistics)


def _of_file(path: Path, model: nn.Module, config: Config, shape: Shape) -> Mapping[str, Tensor]:
    """The weights in a file under the network's names; a twin takes them, for as many classes as they are for."""
    twin = unset(config, shape, next(iter(_outputs(model)))).model
    try:
        load_weights_file(twin, path)
    except OtherClassesError as error:
        twin = unset(config, shape, error.classes).model
        load_weights_file(twin, path)
    return twin.state_dict()


def _outputs(model: nn.Module) -> list[int]:
    """How many logits the head makes."""
    _, head = head_of(model)
    return [len(one) for one in head.parameters(recurse=False) if one.ndim > 1]


def _listed(verb: str, names: list[str], of: Mapping[str, Tensor]) -> str:
    """`lacks 3 tensors (conv1.weight [4, 3, 3, 3], …)`; '' where there are none."""
    if not names:
        return ""
    shown = ", ".join(f"{name} {list(of[name].shape)}" for name in names[:SHOWN])
    return f"{verb} {len(names)} tensors{' too many' if verb == 'has' else ''} ({shown}{', …' * (len(names) > SHOWN)})"


def _sized(shape: Shape) -> str:
    return " × ".join(map(str, shape))
