"""The only way to a network: by what a person calls it."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from cnnlab.config.config import Config, read_config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.data.decoding import Fit
from cnnlab.data.registry import image_of
from cnnlab.data.statistics import ChannelStatistics
from cnnlab.fit.state import load_weights
from cnnlab.models.build import build
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.network.fresh import new_network
from cnnlab.network.network import Network, RunNetwork
from cnnlab.network.preparation import Preparation
from cnnlab.network.runnable import check_runs
from cnnlab.network.session import Session
from cnnlab.network.weights_file import load_weights_file
from cnnlab.network.zoos import ZOOS
from cnnlab.runs.folder import Run, WhichWeights
from cnnlab.runs.images import training_images

RUN_WEIGHTS: tuple[WhichWeights, ...] = ("best", "last")
"""Weights that a run has; anything else is a file."""

ASSUMED_CLASSES = 10
"""Number of classes where neither the config nor the command tells: it changes the last layer alone."""


def open_network(
    what: str | Path | nn.Module,
    session: Session,
    *,
    size: str | int | None = None,
    weights: str | Path | None = None,
    values: bool = True,
    for_images: bool = False,
) -> Network:
    """The network that `what` names, in evaluation mode on the session's device.

    Arguments:
        what: a run's name or folder, a config file, `torchvision:NAME`, `timm:NAME`, or a module (which is moved to the
            device and put into evaluation mode itself).
        session: where runs and data lie.
        size: of its images in place of its own: 224, `224,160` (height, width) or `C,H,W`, in pixels.
        weights: `best` (by default) or `last` of a run; for any other network a file, without which they are random.
        values: False where shapes alone are looked at; the parameters may then be on meta.
        for_images: whether images are to go through it. They become squares; of a config the data is loaded, whose
            statistics and classes the network takes.

    Raises:
        RequestError: where there is no such run, config, network or file (with the nearest name), and where the file,
            the size or the network do not fit each other.

    Example:
        >>> network = open_network("torchvision:resnet18", Session(device_name="cpu"), size="64", values=False)
        >>> network.name, network.shape, network.trained
        ('torchvision:resnet18', (3, 64, 64), False)
    """
    size, weights = (None if one is None else str(one) for one in (size, weights))
    if isinstance(what, nn.Module):
        found = _of_module(what, size)
    else:
        what = str(what)
        zoo, colon, name = what.partition(":")
        if colon and zoo in ZOOS:
            found = _of_zoo(what, name, zoo, values)
        elif what.endswith((".yaml", ".yml")):
            found = _of_config(Path(what), size, session, for_images)
        else:
            found = _of_run(what, session, weights)
    if size is not None:
        shape = shape_for(size, found.shape)
        found = replace(found, shape=shape, prepared=found.prepared and replace(found.prepared, shape=shape))
    if for_images:
        _check_takes_images(found)
    if found.run is None:
        if weights in RUN_WEIGHTS:
            raise RequestError(f"`weights` {weights} is of a run, and {found.name} is none; give a file of weights")
        if weights is not None:
            path = Path(weights).expanduser()
            load_weights_file(found.model, path)
            found = replace(found, trained=True, weights=f"weights of {path}")
    if values and found.run is None:
        found = _on(found, session.device)
    found.model.eval()
    if for_images and size is not None:
        _check_size(found)
    return found


def open_run(text: str | Run, session: Session, weights: WhichWeights = "best") -> RunNetwork:
    """The network of a run.

    Arguments:
        text: the run's name, its folder, or the run.
        session: where runs lie, and whether their plugins may be run.
        weights: `best` or `last`.

    Raises:
        RequestError: where there is no such run, it has no weights yet, or they are not those of its config.
    """
    run = text if isinstance(text, Run) else session.run(text)
    config, data = run.config(allow_plugins=session.allow_plugins), run.record.data
    state, facts = run.weights(weights)
    model = build(config.model, data.shape, classes=len(data.classes))
    file = f"{run.path}/checkpoints/{weights}.safetensors"
    try:
        load_weights(model, state)
    except RequestError as error:
        raise RequestError(f"{file}: {error}") from None
    memory = torch.channels_last if config.training.channels_last else torch.contiguous_format
    model = model.to(device=session.device, memory_format=memory).eval()  # type: ignore[call-overload]
    epoch = facts.get("epoch")
    if not isinstance(epoch, int):
        raise RequestError(f"{file}: damaged weights: the header lacks their epoch")
    statistics = ChannelStatistics(data.mean, data.std)

    def fresh(seed: int) -> nn.Module:
        twin = new_network(config.model_copy(update={"seed": seed}), data.shape, len(data.classes))
        return twin.to(session.device)

    return RunNetwork(
        name=run.name,
        origin="run",
        model=model,
        shape=data.shape,
        trained=True,
        weights=f"the {weights} weights of the run {run.name}",
        classes=data.classes,
        run=run,
        config=config,
        fresh=fresh,
        prepared=Preparation(data.shape, _fit(config), statistics, f"as the run {run.name} was trained"),
        epoch=epoch,
    )


def shape_for(text: str, own: Shape) -> Shape:
    """`224` (a square), `224,160` (height, width) or `3,224,160`, with the channels of `own` where it has none.

    Raises: RequestError for anything else.
    """
    parts = text.replace("x", ",").split(",")
    if not all(part.strip().isdecimal() and 0 < int(part) <= 65536 for part in parts) or len(parts) > 3:
        raise RequestError(
            f"`size` is '{text}', expected a size in pixels such as 224, height and width such as 224,160, or "
            "channels too, such as 3,224,160"
        )
    numbers = [int(part) for part in parts]
    if len(numbers) == 3:
        return tuple(numbers)
    return (own[0], *(numbers * 2 if len(numbers) == 1 else numbers))


def _of_run(text: str, session: Session, weights: str | None) -> RunNetwork:
    try:
        run = session.run(text)
    except RequestError as error:
        others = "MODEL is a run, a config (.yaml), torchvision:NAME or timm:NAME."
        fault = str(error)
        raise RequestError(f"{fault}{'' if fault.endswith(('.', '?')) else '.'} {others}") from None
    which = next((known for known in RUN_WEIGHTS if known == (weights or "best")), None)
    if which is None:
        raise RequestError(f"`weights` is '{weights}', and the run {run.name} has best and last")
    return open_run(run, session, which)


def _of_config(path: Path, size: str | None, session: Session, for_images: bool) -> Network:
    config = read_config(path, allow_plugins=session.allow_plugins)
    shape, count = image_of(config.data.dataset)
    shape = shape_for(size, shape or (3, 0, 0)) if size is not None else shape
    if shape is None:
        raise RequestError(f"{path}: the images of '{config.data.dataset.name}' have no known size; add `size`")
    classes: tuple[str, ...] = ()
    prepared: Preparation | None = None
    if for_images:
        halves = training_images(config, session.place)
        classes = halves.train.classes
        source = f"of the training part of {config.name}"
        prepared = Preparation(shape, _fit(config), halves.statistics, source)
    outputs = len(classes) or count or ASSUMED_CLASSES

    def fresh(seed: int) -> nn.Module:
        return new_network(config.model_copy(update={"seed": seed}), shape, outputs)

    return Network(
        name=config.name,
        origin="config",
        model=fresh(config.seed),
        shape=shape,
        trained=False,
        weights=f"random weights (seed {config.seed})",
        classes=classes,
        config=config,
        fresh=fresh,
        prepared=prepared,
    )


def _of_zoo(text: str, name: str, zoo: str, values: bool) -> Network:
    offer = ZOOS[zoo](name, values=values)
    return Network(
        name=text,
        origin=offer.origin,
        model=offer.model(values),
        shape=offer.shape,
        trained=False,
        weights="random weights (seed 0)",
        classes=offer.classes,
        fresh=offer.fresh,
        prepared=Preparation(offer.shape, "crop", offer.statistics, offer.source),
    )


def _of_module(model: nn.Module, size: str | None) -> Network:
    if size is None:
        raise RequestError("`size`: a module does not tell what images it is for; give such as 3,224,224")
    name = type(model).__name__
    shape = shape_for(size, (3, 0, 0))
    return Network(name=name, origin="module", model=model, shape=shape, trained=True, weights="its own weights")


def _on(network: Network, device: torch.device) -> Network:
    """The same network on `device`, and with it those that `fresh` makes."""
    fresh = network.fresh
    there = None if fresh is None else lambda seed: fresh(seed).to(device)
    return replace(network, model=network.model.to(device), fresh=there)


def _check_takes_images(network: Network) -> None:
    """Raises: RequestError for a network whose inputs are no square images of one or three channels."""
    if len(network.shape) != 3 or network.shape[1] != network.shape[2]:
        given = " × ".join(map(str, network.shape[1:]))
        raise RequestError(f"images become squares, and `size` asks for {given}; give one number, such as 224")
    if network.shape[0] not in (1, 3):
        raise RequestError(f"{network.name} takes images of {network.shape[0]} channels; files have 1 or 3")
    if network.prepared is not None and len(network.prepared.statistics.mean) != network.shape[0]:
        count = len(network.prepared.statistics.mean)
        raise RequestError(f"{network.name} is for images of {count} channels, not {network.shape[0]}")


def _check_size(network: Network) -> None:
    """One image of zeros tells whether the size will do; a walk through the network, why not."""
    try:
        with torch.no_grad():
            network.model(torch.zeros(1, *network.shape, device=network.device))
    except LAYER_FAILURES as error:
        check_runs(network)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        size = f"{network.shape[1]} × {network.shape[2]} px"
        raise RequestError(f"{network.name} does not run on {size}: {reason}") from None


def _fit(config: Config) -> Fit:
    fit: Fit = config.data.dataset.options.get("fit", "crop")
    return fit
