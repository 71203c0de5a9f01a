"""Weights that a zoo offers by name for its networks, with the preparation of images that belongs to them."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from cnnlab.core.errors import RequestError, first_line, unknown
from cnnlab.data.batches import ChannelStatistics
from cnnlab.network.downloads import Download, fetched
from cnnlab.network.preparation import Preparation
from cnnlab.network.weights.mismatch import OtherClassesError
from cnnlab.network.weights.reading import read_content
from cnnlab.network.weights_file import load_weights_file
from cnnlab.network.zoos import ZOOS, Offer, torchvision_preparation

DEFAULT = "DEFAULT"
"""The name of the weights that the zoo itself would choose."""

HUB = "https://huggingface.co/{}/resolve/main/{}"
HUB_FILE = "model.safetensors"
"""The file of weights in each of timm's repositories on the hub."""


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A zoo's network with weights in it."""

    network: str
    """Such as `torchvision:resnet50`."""
    title: str
    """What the weights are, in words."""
    model: nn.Module
    file: Path
    preparation: Preparation
    """Of the images that the weights are for."""
    classes: tuple[str, ...]
    """Their names, where they are known."""
    count: int
    """How many classes there are."""
    notes: tuple[str, ...] = ()
    """What had to be done for the weights to fit, in sentences without an end."""


@dataclass(frozen=True, eq=False)
class ZooWeights:
    """Weights by name, not looked for yet."""

    network: str
    name: str
    """Such as `IMAGENET1K_V2`."""
    offer: Offer
    """The network, prepared for as these weights want it."""
    count: int
    """How many classes they are for."""
    source: Download
    read: Callable[[Path], nn.Module]
    """The network with the weights of the file."""
    elsewhere: Path | None = None
    """The file in another cache than torch's, where it is there."""

    @property
    def title(self) -> str:
        """What they are, in words."""
        return f"the {self.name} weights of {self.network}"

    @property
    def here(self) -> Path | None:
        """Their file, where that is on this machine already."""
        return self.source.path if self.source.path.is_file() else self.elsewhere

    def loaded(self) -> Pretrained:
        """The network with them, downloaded where they are not here yet.

        Raises:
            RequestError: for a damaged file in the cache.
            WorkError: where they cannot be downloaded, with what to put where.
        """
        inside = self.elsewhere if not self.source.path.exists() else None
        file = fetched(self.network, self.source) if inside is None else inside
        model = self.read(file)
        return Pretrained(self.network, self.title, model, file, self.offer.preparation, self.offer.classes, self.count)


Offered = tuple[str, Mapping[str, Callable[[], ZooWeights]]]
"""The name of the weights that the zoo would choose, and all of them by name."""


def zoo_weights(network: str, wanted: str = DEFAULT) -> ZooWeights:
    """The weights of that name for a network of a zoo; nothing is downloaded yet.

    Arguments:
        network: `torchvision:resnet50`, `timm:resnet50` or `timm:resnet50.a1_in1k`.
        wanted: such as `IMAGENET1K_V2` or timm's tag `a1_in1k`; `DEFAULT` for the zoo's own choice.

    Raises:
        RequestError: for a network or weights that are not there, with the nearest.

    Example:
        >>> zoo_weights("torchvision:resnet50", "IMAGENET1K_V1").source.name
        'resnet50-0676ba61.pth'
    """
    zoo, _, name = network.partition(":")
    if zoo not in WEIGHTS:
        raise RequestError(unknown("zoo", zoo, WEIGHTS) + " A network of one is named such as torchvision:resnet50.")
    default, known = WEIGHTS[zoo](name)
    if not known:
        raise RequestError(f"{zoo} has no weights for {name}; give a file of weights")
    bare = wanted.rpartition(".")[2]  # ResNet50_Weights.IMAGENET1K_V2, resnet50.a1_in1k
    meant = {one.casefold(): one for one in known} | {DEFAULT.casefold(): default}
    if bare.casefold() not in meant:
        raise RequestError(unknown(f"weights of {network}", wanted, [*known, DEFAULT]))
    return known[meant[bare.casefold()]]()


def weights_of_file(network: str, path: Path, key: str | None = None) -> Pretrained:
    """A zoo's network with the weights of a file, made for as many classes as they are for.

    Arguments:
        network: such as `torchvision:resnet50`.
        path: of weights under the names that the zoo's own network has.
        key: the dict in it, as `load_weights_file` takes it.

    Raises:
        RequestError: for a network that is not there, and as `load_weights_file`.
    """
    zoo, _, name = network.partition(":")
    offer = ZOOS[zoo](name, values=False)
    try:
        model = offer.model(True)
        loaded = load_weights_file(model, path, key)
        count = offer.logits or 0
    except OtherClassesError as error:
        offer, count = ZOOS[zoo](name, values=False, classes=error.classes), error.classes
        model = offer.model(True)
        loaded = load_weights_file(model, path, key)
    own = known_by_file(network, path)
    prepared = offer.preparation if own is None else own.offer.preparation
    return Pretrained(network, f"weights of {path}", model, path, prepared, offer.classes, count, loaded.notes)


def known_by_file(network: str, path: Path) -> ZooWeights | None:
    """The weights of that zoo's network whose file has the name that `path` has; None where it is none of them."""
    zoo, _, name = network.partition(":")
    for make in WEIGHTS[zoo](name)[1].values():
        weights = make()
        if weights.source.name == path.name and weights.source.digits:
            return weights
    return None


def torchvision_weights(name: str) -> Offered:
    """The weights that torchvision has for its network of that name.

    Raises: RequestError for a network that it does not have.
    """
    from torchvision import models

    offer = ZOOS["torchvision"](name, values=False)  # without values of its own, which take time and are replaced
    known = {one.name: partial(_of_torchvision, name, one, offer) for one in models.get_model_weights(name)}
    return models.get_model_weights(name).DEFAULT.name if known else "", known


def _of_torchvision(name: str, weights: Any, offer: Offer) -> ZooWeights:
    prepared = torchvision_preparation(weights)
    if hasattr(offer.model(False), "transform_input"):
        # with its own weights torchvision has these networks normalise by 0.5 themselves what comes in ImageNet's way
        half = (0.5, 0.5, 0.5)
        prepared = replace(prepared, statistics=ChannelStatistics(half, half))
    classes = tuple(weights.meta.get("categories") or ())
    prepared_for = replace(offer, preparation=prepared, classes=classes)

    def read(path: Path) -> nn.Module:
        model = prepared_for.model(True)
        load_weights_file(model, path)
        return model

    count = len(classes) or offer.logits or 0
    source = Download.of(weights.url)
    return ZooWeights(f"torchvision:{name}", weights.name, prepared_for, count, source, read)


def timm_weights(name: str) -> Offered:
    """The weights that timm has for its network of that name, by their tags.

    Raises: RequestError for a network that it does not have, and without timm.
    """
    ZOOS["timm"](name, values=False)  # raises
    models: Any = importlib.import_module("timm.models")
    network, _, tag = name.partition(".")
    own = models.get_pretrained_cfg(name, allow_unregistered=True)
    tags = [one.partition(".")[2] for one in models.list_pretrained(f"{network}.*")]
    known = {one: partial(_of_timm, network, one) for one in tags}
    default = tag or (own.tag if own is not None else "")
    return (default, known) if default in known else (next(iter(known), ""), known)


def _of_timm(network: str, tag: str) -> ZooWeights:
    models: Any = importlib.import_module("timm.models")
    name = f"{network}.{tag}"
    facts = models.get_pretrained_cfg(name)
    hub = facts.hf_hub_id
    source = Download.of(facts.url) if not hub else Download(HUB.format(hub, HUB_FILE), f"{name}.safetensors")

    def read(path: Path) -> nn.Module:
        content = read_content(path).value
        whole = f"timm:{name}"
        try:
            model: Any = models.create_model(name, pretrained=True, pretrained_cfg_overlay={"state_dict": content})
        except (RuntimeError, KeyError, TypeError, AttributeError, AssertionError) as error:
            raise RequestError(f"{whole}: the weights of {path} do not fit it: {first_line(error)}") from None
        model.pretrained_cfg.pop("state_dict", None)
        made: nn.Module = model
        return made

    offer = ZOOS["timm"](name, values=False)
    return ZooWeights(f"timm:{network}", tag, offer, facts.num_classes, source, read, _in_the_hubs_cache(hub))


def _in_the_hubs_cache(repository: str | None) -> Path | None:
    """The repository's file of weights where timm, or another program, has fetched it already."""
    if not repository:
        return None
    hub: Any = importlib.import_module("huggingface_hub")
    found = hub.try_to_load_from_cache(repository, HUB_FILE)
    return Path(found) if isinstance(found, str) else None


WEIGHTS: Mapping[str, Callable[[str], Offered]] = {"torchvision": torchvision_weights, "timm": timm_weights}
"""What each zoo of `ZOOS` has weights for."""
