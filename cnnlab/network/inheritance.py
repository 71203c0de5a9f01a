"""Weights that a training begins with, copied into its network: all but the head must fit."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnlab.config.config import Config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.data.batches import ChannelStatistics
from cnnlab.fit.freezing import head_of
from cnnlab.network.origins import COUNTER, Origin, key_of, origin_of, other_layers
from cnnlab.network.session import Session
from cnnlab.runs.record import InheritedFacts

SHOWN = 3
"""Names that an error lists of each kind."""


@dataclass(frozen=True)
class Inherited:
    """What a network took over."""

    origin: Origin
    taken: tuple[str, ...]
    """Its tensors that have the origin's values."""
    head: tuple[str, ...]
    """Its tensors that begin at random all the same."""
    adapted: bool
    """Whether the kernels of the first convolution were made for other channels."""
    remarks: tuple[str, ...]

    @property
    def facts(self) -> InheritedFacts:
        """The same for a run's record."""
        count = len(self.taken)
        return InheritedFacts(self.origin.name, count, count + len(self.head), self.head, self.origin.structure)

    @property
    def statistics(self) -> ChannelStatistics | None:
        """By which the origin's images were normalised; None where those have other channels."""
        return None if self.adapted else self.origin.statistics

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
        if self.statistics is not None:
            if own.statistics == statistics:
                said.append(f"images are normalised as for {own.name}")
            else:
                said.append(f"images are normalised by another mean and std than for {own.name}")
        return tuple(said)


def inherit(
    model: nn.Module,
    config: Config,
    shape: Shape,
    classes: tuple[str, ...],
    session: Session,
    *,
    count: int | None = None,
    fetch: bool = True,
) -> Inherited:
    """Copy the weights of the config's `init_from`, or its `weights`, into a network, but for a head of other classes.

    Arguments:
        model: the config's, with fresh weights, which it keeps where nothing is copied.
        config: with `init_from` or `weights`, and `new_head` and `adapt_channels`.
        shape: (channels, height, width) of its images, in pixels.
        classes: their names; none where these are not known.
        session: where runs lie.
        count: how many classes there are, by default as many as names.
        fetch: whether a zoo's weights are downloaded; otherwise shapes alone are looked at where they are not here.

    Returns:
        What was taken.

    Raises:
        RequestError: for an origin that is not there, and for weights that do not fit, with both names and shapes; the
            network is as before then.
        WorkError: where weights cannot be downloaded.
    """
    with config.told_by_place():
        origin = origin_of(config, model, shape, session, fetch=fetch)
        return _inherited(model, config, shape, classes, len(classes) if count is None else count, origin)


def _inherited(
    model: nn.Module, config: Config, shape: Shape, classes: tuple[str, ...], count: int, origin: Origin
) -> Inherited:
    own = model.state_dict()
    weights = dict(origin.weights)
    key = key_of(config)
    fault, way_out = f"{key}: {origin.name} does not fit the network", other_layers(key, origin.layers)
    missing = [name for name in own if name not in weights and not name.endswith(COUNTER)]
    foreign = [name for name in weights if name not in own]
    if missing or foreign:
        listed = [_listed("lacks", missing, own), _listed("has", foreign, weights)]
        raise RequestError(f"{fault}: it {' and '.join(filter(None, listed))}; {way_out}")
    adapted = _first_kernels(own, weights)
    if adapted and not config.adapt_channels:
        theirs, ours = list(weights[adapted].shape), list(own[adapted].shape)
        raise RequestError(
            f"{fault}: its {adapted} is {theirs}, and the network's {ours}: it saw images of {theirs[1]} channels, and "
            f"these have {ours[1]}; adapt_channels: true makes its kernels for {ours[1]}"
        )
    if adapted:
        weights[adapted] = adapted_kernels(weights[adapted], own[adapted].shape[1])
    other = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    head_name, head = head_of(model)
    of_head = [f"{head_name}.{name}" if head_name else name for name, _ in head.named_parameters(recurse=False)]
    for name in other:
        theirs, ours = list(weights[name].shape), list(own[name].shape)
        if ours[:1] != [count] or theirs[1:] != ours[1:]:
            raise RequestError(f"{fault}: its {name} is {theirs}, and the network's {ours}; {way_out}")
    elsewhere = bool(origin.classes) and bool(classes) and origin.classes != classes
    anew = elsewhere if config.new_head is None else config.new_head
    if other and config.new_head is False:
        name = other[0]
        raise RequestError(
            f"{fault}, and new_head is false: its {name} is {list(weights[name].shape)}, and the network's "
            f"{list(own[name].shape)}; leave new_head out for a head that begins at random"
        )
    left = tuple(dict.fromkeys([*other, *(of_head if anew else ())]))
    taken = {name: tensor for name, tensor in weights.items() if name not in left}
    model.load_state_dict(taken, strict=False)
    paired = ", paired in the order of a forward pass" if origin.structure else ""
    remarks = [f"begins with {_begun(origin)}: {len(taken)} of {len(own)} tensors{paired}", *origin.notes]
    if adapted:
        remarks.append(
            f"{adapted}, of kernels for {origin.weights[adapted].shape[1]} channels, was made for {shape[0]}; images "
            "are normalised by their own mean and std"
        )
    if left:
        shapes = [f"{name} {list(origin.weights[name].shape)} there, {list(own[name].shape)} here" for name in left]
        remarks.append(f"the head begins at random, for {count} classes: {'; '.join(shapes[:SHOWN])}")
    return Inherited(origin, tuple(taken), left, bool(adapted), tuple(remarks))


def adapted_kernels(kernels: Tensor, channels: int) -> Tensor:
    """Kernels of a first convolution for images of other channels: summed for one, otherwise repeated and scaled.

    So a grey image gives what it gave as a colour image with three equal channels. Source: timm's `adapt_input_conv`.

    Arguments:
        kernels: (out, in, height, width).
        channels: of the images now.

    Returns:
        (out, channels, height, width).

    Example:
        >>> adapted_kernels(torch.ones(1, 3, 1, 1), 1).item()
        3.0
    """
    given = kernels.shape[1]
    if channels == 1:
        return kernels.sum(dim=1, keepdim=True)
    repeated = torch.cat([kernels] * -(-channels // given), dim=1)[:, :channels]
    return repeated * (given / channels)


def _first_kernels(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """The first convolution's kernels, where they differ in the channels that they read alone; '' otherwise."""
    first = next((name for name, one in own.items() if one.dim() == 4), "")
    if not first:
        return ""
    ours, theirs = own[first].shape, given[first].shape
    same = len(theirs) == 4 and ours[0] == theirs[0] and ours[2:] == theirs[2:]
    return first if same and ours[1] != theirs[1] else ""


def _begun(origin: Origin) -> str:
    """`the weights of the run cifar`, `the DEFAULT weights of torchvision:resnet18`."""
    return origin.name if "weights of " in origin.name else f"the weights of {origin.name}"


def _listed(verb: str, names: list[str], of: Mapping[str, Tensor]) -> str:
    """`lacks 3 tensors (conv1.weight [4, 3, 3, 3], …)`; '' where there are none."""
    if not names:
        return ""
    shown = ", ".join(f"{name} {list(of[name].shape)}" for name in names[:SHOWN])
    return f"{verb} {len(names)} tensors{' too many' if verb == 'has' else ''} ({shown}{', …' * (len(names) > SHOWN)})"


def _sized(shape: Shape) -> str:
    return " × ".join(map(str, shape))
