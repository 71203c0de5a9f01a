"""What is said of a network is put onto it: its size, preparation, classes and activation."""

from collections.abc import Mapping
from dataclasses import replace
from typing import overload

from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.data.batches import ChannelStatistics
from cnnlab.network.description import Description, sizes_of
from cnnlab.network.network import Network
from cnnlab.network.own import first_channels
from cnnlab.network.preparation import Preparation


def shape_for(text: str, own: Shape) -> Shape:
    """`224` (a square), `224,160` (height, width) or `3,224,160`, with the channels of `own` where it has none.

    Raises: RequestError for anything else.
    """
    try:
        numbers = sizes_of(text)
    except ValueError as error:
        raise RequestError(f"`size` is {error}") from None
    if len(numbers) == 3:
        return tuple(numbers)
    return (own[0], *(numbers * 2 if len(numbers) == 1 else numbers))


@overload
def size_of(said: Description, model: None) -> Shape | None: ...


@overload
def size_of(said: Description, model: nn.Module) -> Shape: ...


def size_of(said: Description, model: nn.Module | None) -> Shape | None:
    """The shape of a module's images; without the module, as far as it is said whole."""
    if model is None:
        return shape_for(said.size, (0, 0, 0)) if said.size is not None and said.size.count(",") == 2 else None
    own = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None)
    if said.size is None and isinstance(own, Mapping) and len(own.get("input_size") or ()) == 3:  # timm's word for it
        return tuple(own["input_size"])
    if said.size is None:
        raise RequestError("`size`: a module does not tell what images it is for; give such as 3,224,224")
    return shape_for(said.size, (first_channels(model), 0, 0))


def described(found: Network, said: Description, for_images: bool) -> Network:
    """`found` with what is said of it; what it knows itself holds otherwise.

    Raises: RequestError for what a run or a config knows itself.
    """
    if found.config is not None and (
        known := [key for key in said.said if key != "size" and not said.found_by_itself(key)]
    ):
        raise RequestError(f"`{known[0]}` is known of a {found.origin}, and {found.name} is one; leave it out")
    if found.config is not None and said.found:
        return found if said.found_by_itself("size") else described(found, Description(size=said.size), for_images)
    shape = found.shape if said.size is None else shape_for(said.size, found.shape)
    found = replace(found, shape=shape, classes=found.classes if said.classes is None else said.names)
    if found.config is not None:
        return replace(found, prepared=found.prepared and replace(found.prepared, shape=shape))
    remarks, prepared = [*found.remarks, *said.remarks], found.prepared
    if prepared is None or said.mean is not None:
        prepared = _with_statistics(prepared, said, shape)
        if said.mean is None and for_images:
            remarks.append("no `mean` and `std` are given: the network gets pixels in 0 … 1 as they are")
        if max(numbers := (*(said.mean or ()), *(said.std or ())), default=0) > 1:
            remarks.append(
                f"`mean` and `std` are of pixels in 0 … 1, and {max(numbers):g} is among them: numbers for pixels in "
                "0 … 255 are to be divided by 255"
            )
    fit, share = said.fit or prepared.fit, said.crop_share
    if share is None and fit == prepared.fit:
        share = prepared.crop_share
    interpolation = said.interpolation or prepared.interpolation
    prepared = replace(prepared, shape=shape, fit=fit, interpolation=interpolation, crop_share=share)
    activation = said.activation or found.activation
    return replace(found, prepared=prepared, activation=activation, remarks=tuple(remarks))


def _with_statistics(known: Preparation | None, said: Description, shape: Shape) -> Preparation:
    """What is `known`, with the mean and std that are said; without any, pixels stay as they are."""
    mean, std, source = (0.0,) * shape[0], (1.0,) * shape[0], "no mean and std were given"
    if said.mean is not None and said.std is not None:
        mean, std = (_for_channels(key, values, shape[0]) for key, values in (("mean", said.mean), ("std", said.std)))
        source = f"as {said.file} says" if "mean" in said.places else "as was asked for"
    statistics = ChannelStatistics(mean, std)
    if known is None:
        return Preparation(shape, "crop", statistics, source)
    return replace(known, statistics=statistics, source=source)


def _for_channels(key: str, values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """A number for each channel; a single one holds for all.

    Raises: RequestError for any other count.
    """
    if len(values) == 1:
        return values * channels
    if len(values) != channels:
        raise RequestError(f"`{key}` has {len(values)} numbers, and the images {channels} channels")
    return values
