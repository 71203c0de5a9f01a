"""The MODEL of a command: a run, a config, `torchvision:NAME` or `timm:NAME`."""

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from cnnlab.config.config import read_config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError, unknown
from cnnlab.data.registry import image_of
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.network.trained import new_network, trained_network
from cnnlab.runs.folder import Run, WhichWeights

ZOOS = ("torchvision", "timm")

ASSUMED_CLASSES = 10
"""Where neither the config nor the command tells: their number changes the last layer alone."""


@dataclass(frozen=True, eq=False)
class NamedModel:
    """A network that a person named, and the pictures that it is for."""

    name: str
    """As in a title."""
    origin: Literal["run", "config", "torchvision", "timm"]
    model: nn.Module
    shape: Shape
    """(channels, height, width) of its pictures, in pixels."""
    trained: bool
    """Its weights are learned ones."""
    classes: tuple[str, ...] = ()
    run: Run | None = None
    fresh: Callable[[int], nn.Module] | None = None
    """The same network with random weights that follow from a seed; None where the weights are learned."""


def named_model(
    text: str,
    runs: Path,
    *,
    size: str | None = None,
    values: bool = True,
    weights: WhichWeights = "best",
    device: torch.device | None = None,
    allow_plugins: bool = False,
) -> NamedModel:
    """The network that `text` names; `size` (`224`, `224,160` or `C,H,W`) in place of its own picture size.

    values: False for a network whose shapes alone are looked at; its weights may then be on meta. With them the
    network is on `device`.

    Raises: RequestError when there is no such run, config or network (with the nearest name).
    """
    zoo, colon, name = text.partition(":")
    if colon and zoo in ZOOS:
        found = _torchvision(name, values) if zoo == "torchvision" else _timm(name, values)
    elif text.endswith((".yaml", ".yml")):
        found = _from_config(Path(text), size, allow_plugins)
    else:
        found = _from_run(text, runs, weights, device or torch.device("cpu"), allow_plugins)
    if device is not None and values:
        found = _on(found, device)
    return replace(found, shape=shape_for(size, found.shape)) if size else found


def _on(named: NamedModel, device: torch.device) -> NamedModel:
    """The same network on `device`, and with it those that `fresh` makes."""
    fresh = named.fresh
    there = None if fresh is None else lambda seed: fresh(seed).to(device)
    return replace(named, model=named.model.to(device), fresh=there)


def shape_for(text: str, own: Shape) -> Shape:
    """`224` (a square), `224,160` (height, width) or `3,224,160`, with the channels of `own` where it has none.

    Raises: RequestError for anything else.
    """
    parts = text.replace("x", ",").split(",")
    if not all(part.strip().isdecimal() and 0 < int(part) <= 65536 for part in parts) or len(parts) > 3:
        raise RequestError(
            f"--input is '{text}', expected a size in pixels such as 224, height and width such as 224,160, or "
            "channels too, such as 3,224,160"
        )
    numbers = [int(part) for part in parts]
    if len(numbers) == 3:
        return tuple(numbers)
    return (own[0], *(numbers * 2 if len(numbers) == 1 else numbers))


def _from_run(text: str, runs: Path, which: WhichWeights, device: torch.device, allow_plugins: bool) -> NamedModel:
    try:
        run = Run.open(text, runs)
    except RequestError as error:
        others = "MODEL is a run, a config (.yaml), torchvision:NAME or timm:NAME."
        raise RequestError(f"{str(error).removesuffix('.')}. {others}") from None
    network = trained_network(run, device, which=which, allow_plugins=allow_plugins)
    return NamedModel(run.name, "run", network.model, network.shape, True, network.classes, run)


def _from_config(path: Path, size: str | None, allow_plugins: bool) -> NamedModel:
    config = read_config(path, allow_plugins=allow_plugins)
    shape, classes = image_of(config.data.dataset)
    shape = shape_for(size, shape or (3, 0, 0)) if size else shape
    if shape is None:
        raise RequestError(f"{path}: the pictures of '{config.data.dataset.name}' have no known size; add --input")

    def fresh(seed: int) -> nn.Module:
        return new_network(config.model_copy(update={"seed": seed}), shape, classes or ASSUMED_CLASSES)

    return NamedModel(config.name, "config", fresh(config.seed), shape, False, fresh=fresh)


def _torchvision(name: str, values: bool) -> NamedModel:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise RequestError(unknown("network", name, known) + " They are torchvision's, such as torchvision:resnet18.")
    options = {"init_weights": values} if name in ("inception_v3", "googlenet") else {}
    fresh = _maker(lambda: models.get_model(name, weights=None, **options))
    model = fresh(0) if values else _without_values(fresh)
    weights = list(models.get_model_weights(name))
    crop = getattr(weights[-1].transforms(), "crop_size", [224]) if weights else [224]
    return NamedModel(f"torchvision:{name}", "torchvision", model, (3, crop[0], crop[0]), False, fresh=fresh)


def _timm(name: str, values: bool) -> NamedModel:
    try:
        timm: Any = importlib.import_module("timm")
    except ModuleNotFoundError:
        raise RequestError(f"timm:{name} needs timm, which is not installed: pip install timm") from None
    known = timm.list_models()
    if name.split(".")[0] not in known:
        raise RequestError(unknown("network", name, known) + " They are timm's, such as timm:inception_v4.")
    fresh = _maker(lambda: timm.create_model(name, pretrained=False))
    model = fresh(0) if values else _without_values(fresh)
    shape = tuple(getattr(model, "default_cfg", {}).get("input_size", (3, 224, 224)))
    return NamedModel(f"timm:{name}", "timm", model, shape, False, fresh=fresh)


def _maker(make: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    """`make` with random weights from a seed, and without the warnings of a zoo about its own future."""

    def fresh(seed: int) -> nn.Module:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            torch.manual_seed(seed)
            return make()

    return fresh


def _without_values(fresh: Callable[[int], nn.Module]) -> nn.Module:
    """On meta, which takes no time; some networks can only be made with values."""
    try:
        with torch.device("meta"):
            return fresh(0)
    except LAYER_FAILURES:
        return fresh(0)
