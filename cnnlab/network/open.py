"""The only way to a network: by what a person calls it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import torch
from torch import nn

from cnnlab.config.shipped import could_be_a_name, shipped_config, shipped_configs
from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.data.batches import ChannelStatistics
from cnnlab.fit.state import load_weights
from cnnlab.models.own import asks_for, is_own, own_network
from cnnlab.network.described import described, size_of
from cnnlab.network.description import Description, ModelOptions, description_of
from cnnlab.network.exported.opened import exported_reader
from cnnlab.network.fresh import new_network, unset
from cnnlab.network.from_config import as_trained, of_config
from cnnlab.network.fused import fused, fused_for, is_fused
from cnnlab.network.image_input import check_takes_files, check_takes_images
from cnnlab.network.network import Network, RunNetwork
from cnnlab.network.own import as_float, check_plain, own_module, unwrapped
from cnnlab.network.session import Session
from cnnlab.network.trial import with_output
from cnnlab.network.weights.formats import format_of, names_a_file
from cnnlab.network.weights.mismatch import OtherClassesError
from cnnlab.network.weights_file import load_weights_file
from cnnlab.network.with_data import with_data
from cnnlab.network.zoo_weights import Pretrained, known_by_file, zoo_weights
from cnnlab.network.zoos import ZOOS
from cnnlab.runs.folder import Run, WhichWeights
from cnnlab.runs.images import noise_told

RUN_WEIGHTS: tuple[WhichWeights, ...] = ("best", "last")
"""Weights that a run has; anything else is a file."""


def open_network(
    what: str | Path | nn.Module,
    session: Session,
    *,
    values: bool = True,
    for_images: bool = False,
    any_channels: bool = False,
    **options: Unpack[ModelOptions],
) -> Network:
    """The network that `what` names, in evaluation mode on the session's device.

    Arguments:
        what: a run's name or folder, a config file or the name of a config of cnnlab (`cifar`), `torchvision:NAME`,
            `timm:NAME`, `FILE.py:NAME` or `package.module:NAME` (a class, a function or a module, with arguments such
            as `net.py:ResNet(depth=20)`), an ONNX file, a folder that `cnnlab export` wrote, or a module (which is
            moved to the device and put into evaluation mode itself).
        session: where runs and data lie.
        values: False where shapes alone are looked at; the parameters may then be on meta.
        for_images: whether images are to go through it. Of a config the data is loaded, whose statistics and classes
            the network takes.
        any_channels: whether those images may have other channels than files have, as tensors may.
        options: what is said of it besides, see `ModelOptions`: its weights, size, mean, std, classes, fit, output and
            activation.

    Raises:
        RequestError: where there is no such run, config, network or file (with the nearest name), and where the file,
            the size or the network do not fit each other.
        OwnCodeError: for an error in the user's own code, with the calls that led to it.

    Example:
        >>> network = open_network("torchvision:resnet18", Session(device_name="cpu"), size="64", values=False)
        >>> network.name, network.shape, network.trained
        ('torchvision:resnet18', (3, 64, 64), False)
    """
    said = description_of(options)
    with said.told_by_place():
        return _opened(what, session, options, said, values, for_images, any_channels)


def _opened(
    what: str | Path | nn.Module,
    session: Session,
    options: ModelOptions,
    said: Description,
    values: bool,
    for_images: bool,
    any_channels: bool,
) -> Network:
    try:
        found = _loaded(what, session, options, said, values, for_images)
    except OtherClassesError as error:
        if said.class_count is not None or not _takes_classes(what):
            raise
        said = replace(said, classes=error.classes)
        found = _loaded(what, session, options, said, values, for_images)
        found = replace(
            found, remarks=(*found.remarks, f"the weights are for {error.classes} classes, and so is the network made")
        )
    if for_images and not any_channels:
        check_takes_files(found)
    if values and found.run is None:
        found = _on(found, session.device)
    found.model.eval()
    if for_images:
        found = with_output(found, said)
        if session.data is not None and found.config is None:
            found = with_data(found, session.data, session)
    return found


def _loaded(
    what: str | Path | nn.Module,
    session: Session,
    options: ModelOptions,
    said: Description,
    values: bool,
    for_images: bool,
) -> Network:
    """The network by its name, with what is said of it, and with its weights.

    Raises: RequestError as `open_network`; OtherClassesError for weights for another number of classes.
    """
    weights, key = None if options.get("weights") is None else str(options["weights"]), options.get("weights_key")
    given = None if weights in RUN_WEIGHTS else weights
    if (
        weights is not None
        and (isinstance(what, nn.Module) or is_own(str(what)))
        and Path(weights).expanduser().is_dir()
    ):
        format_of(Path(weights).expanduser())  # raises: a file in it, and what stands beside that, is to be named
    if isinstance(what, nn.Module):
        found = _of_module(what, said)
    else:
        what = str(what)
        zoo, colon, name = what.partition(":")
        if colon and zoo in ZOOS:
            found = _of_zoo(what, name, zoo, values, said, given, key)
            weights = weights if found.weights_file is None else None
        elif what.endswith((".yaml", ".yml")):
            found = of_config(Path(what), said.size, session, for_images, given, key)
            weights, key = (weights, key) if given is None else (None, None)
        elif (read := exported_reader(what)) is not None:
            found, said = read(Path(what).expanduser(), said, session, values)
        elif is_own(what):
            found = _of_own(what, said)
        elif (path := _shipped(what, session)) is not None:
            found = of_config(path, said.size, session, for_images, given, key)
            weights, key = (weights, key) if given is None else (None, None)
            remark = f"there is no run {what}: it is the config that comes with cnnlab, {path}"
            found = replace(found, remarks=(*found.remarks, remark))
        else:
            found = _of_run(what, session, weights)
    found = described(found, said, for_images)
    if for_images:
        check_takes_images(found)
    if found.run is None:
        return _with_weights(found, weights, key)
    if key is not None:
        raise RequestError(f"`weights_key` is of a file of weights, and {found.name} is a run")
    return found


def _shipped(what: str, session: Session) -> Path | None:
    """The config of cnnlab that `what` names, unless it is a run or a folder."""
    if not could_be_a_name(what) or any(os.path.lexists(place) for place in (session.runs / what, what)):
        return None
    return shipped_config(what)


def is_no_run(what: str) -> bool:
    """Whether `what` names a config, a zoo's network or a user's own."""
    zoo, colon, _ = what.partition(":")
    known = (bool(colon) and zoo in ZOOS) or what.endswith((".yaml", ".yml"))
    return known or is_own(what) or exported_reader(what) is not None


def knows_itself(what: str) -> bool:
    """Whether `what` names a run or a config, which know what their images are."""
    return what.endswith((".yaml", ".yml")) or not is_no_run(what)


def _takes_classes(what: str | Path | nn.Module) -> bool:
    """Whether a network can be made for any number of classes."""
    if isinstance(what, nn.Module):
        return False
    zoo, colon, _ = str(what).partition(":")
    if colon and zoo in ZOOS:
        return True
    return is_own(str(what)) and asks_for(own_network(str(what)), "classes")


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
    built = unset(config, data.shape, len(data.classes))
    model = fused(built.model, data.shape).model if is_fused(facts) else built.model
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
        return (fused(twin, data.shape).model if is_fused(facts) else twin).to(session.device)

    return RunNetwork(
        name=run.name,
        origin="run",
        model=model,
        shape=data.shape,
        trained=True,
        weights=f"the {weights} weights of the run {run.name}",
        classes=data.classes,
        logits=len(data.classes),
        run=run,
        config=config,
        fresh=fresh,
        fused=is_fused(facts),
        prepared=as_trained(config, data.shape, statistics, f"as the run {run.name} was trained"),
        epoch=epoch,
        remarks=(*built.answer, *noise_told(config.data)),
        which=weights,
    )


def _of_run(text: str, session: Session, weights: str | None) -> RunNetwork:
    try:
        run = session.run(text)
    except RequestError as error:
        if any(folder.is_dir() for folder in (session.runs / text, Path(text))):
            raise  # a run that is damaged
        if Path(text).is_file():
            raise RequestError(
                f"{text}: is a file, and neither a run nor a network; a file of weights goes to `weights`, beside the "
                "MODEL that they are for"
            ) from None
        others = (
            "MODEL is a run, a config (.yaml), an exported file or folder, FILE.py:NAME, torchvision:NAME or timm:NAME."
        )
        fault = str(error)
        fault += "" if fault.endswith((".", "?")) else "."
        near = "" if fault.endswith("?") else did_you_mean(text, shipped_configs())
        raise RequestError(f"{fault}{near} {others}") from None
    which = next((known for known in RUN_WEIGHTS if known == (weights or "best")), None)
    if which is None:
        raise RequestError(f"`weights` is '{weights}', and the run {run.name} has best and last")
    return open_run(run, session, which)


def _of_zoo(
    text: str, name: str, zoo: str, values: bool, said: Description, weights: str | None, key: str | None
) -> Network:
    offer = ZOOS[zoo](name, values=values, classes=said.class_count)
    found = Network(
        name=text,
        origin=offer.origin,
        model=offer.model(values),
        shape=offer.preparation.shape,
        trained=False,
        weights="random weights (seed 0)",
        classes=offer.classes,
        logits=offer.logits,
        fresh=offer.fresh,
        prepared=offer.preparation,
    )
    if weights is None:
        return found
    if names_a_file(weights):
        known = known_by_file(text, Path(weights))
        prepared = offer.preparation if known is None else known.offer.preparation
        return replace(found, shape=prepared.shape, prepared=prepared)
    if key is not None:
        raise RequestError("`weights_key` names a part of a file of weights, and these weights are named themselves")
    pretrained = zoo_weights(text, weights)
    if said.class_count not in (None, pretrained.count):
        raise RequestError(
            f"`classes` are {said.class_count:,}, and {pretrained.title} are for {pretrained.count:,}; for a head of "
            "your own train with init_from"
        )
    return with_pretrained(found, pretrained.loaded())


def with_pretrained(found: Network, source: Pretrained) -> Network:
    """A zoo's network with weights, and with the preparation and the classes that belong to them."""
    return replace(
        found,
        model=source.model,
        shape=source.preparation.shape,
        trained=True,
        weights=source.title,
        weights_file=source.file,
        classes=source.classes,
        logits=source.count,
        prepared=source.preparation,
        remarks=(*found.remarks, *source.notes),
    )


def _of_own(text: str, said: Description) -> Network:
    place = own_network(text)
    count = said.class_count
    made = own_module(place, shape=size_of(said, None), classes=count)
    return Network(
        name=text,
        origin="own",
        code=place,
        model=made.model,
        shape=size_of(said, made.model),
        trained=made.trained,
        weights=made.weights,
        fresh=made.fresh,
        remarks=(made.remark,) if made.remark else (),
    )


def _of_module(model: nn.Module, said: Description) -> Network:
    inner = unwrapped(model)
    name = type(inner).__name__
    check_plain(inner, name)
    whole, remark = as_float(inner, name)
    return Network(
        name=name,
        origin="module",
        model=whole,
        shape=size_of(said, whole),
        trained=True,
        weights="its own weights",
        remarks=(remark,) if remark else (),
    )


def _with_weights(found: Network, weights: str | None, key: str | None) -> Network:
    """`found` with the weights of a file, where one is named.

    Raises: RequestError for `best` and `last`, which are a run's, and as `load_weights_file`.
    """
    if weights in RUN_WEIGHTS:
        raise RequestError(f"`weights` {weights} is of a run, and {found.name} is none; give a file of weights")
    if weights is None:
        if key is not None:
            raise RequestError("`weights_key` names a part of a file of weights; give the file with `weights`")
        return found
    file = Path(weights).expanduser()
    found = fused_for(found, file)
    loaded = load_weights_file(found.model, file, key)
    said = f"weights of {loaded.path}" + (f" ({loaded.key})" if loaded.key else "")
    remarks = (*found.remarks, *loaded.notes)
    return replace(found, trained=True, weights=said, weights_file=loaded.path, remarks=remarks)


def _on(network: Network, device: torch.device) -> Network:
    """The same network on `device`, and with it those that `fresh` makes."""
    fresh = network.fresh
    there = None if fresh is None else lambda seed: fresh(seed).to(device)
    return replace(network, model=network.model.to(device), fresh=there)
