"""Networks that other libraries make by name: `torchvision:NAME` and `timm:NAME`."""

import importlib
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import nn

from cnnlab.core.errors import RequestError, unknown
from cnnlab.data.batches import ChannelStatistics
from cnnlab.data.fitting import Fit
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.network.network import Origin
from cnnlab.network.preparation import Preparation

IMAGENET = ChannelStatistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
UNKNOWN = Preparation((3, 224, 224), "crop", IMAGENET, "ImageNet's, as it names no others")
"""Of the images that a zoo's network is for where it does not say."""

TIMM_CROP = 0.875
"""timm's share of a side where a network names none."""

TIMM_FITS: Mapping[str, Fit] = {"center": "crop", "squash": "stretch", "border": "letterbox"}
"""timm's words for it; its bars have the mean's colour, and ours are black."""


@dataclass(frozen=True, eq=False)
class Offer:
    """A network of a zoo, and what it says of the images that its weights are for."""

    origin: Origin
    fresh: Callable[[int], nn.Module]
    """The network with random weights from a seed."""
    preparation: Preparation
    """Of the images that its weights were evaluated on."""
    classes: tuple[str, ...] = field(default=())
    logits: int | None = None
    """How many it puts out for an image, where it is known to put out these alone."""

    def model(self, values: bool) -> nn.Module:
        """The network of seed 0; without `values` on meta, which takes no time, where it can be made so."""
        return _made(self.fresh, values)


class Zoo(Protocol):
    """A library of networks by name."""

    def __call__(self, name: str, *, values: bool, classes: int | None = None) -> Offer:
        """What it offers under `name`; without `values` its shapes alone are asked for.

        classes: their number, where it is not that of the zoo's own weights.

        Raises: RequestError for a name that it does not have, with the nearest.
        """


def torchvision(name: str, *, values: bool = True, classes: int | None = None) -> Offer:
    """torchvision's network of that name."""
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise RequestError(unknown("network", name, known) + " They are torchvision's, such as torchvision:resnet18.")
    options: dict[str, Any] = {"init_weights": values} if name in ("inception_v3", "googlenet") else {}
    if classes is not None:
        options["num_classes"] = classes
    fresh = _quiet(lambda: models.get_model(name, weights=None, **options))
    weights = list(models.get_model_weights(name))
    if not weights:
        return Offer("torchvision", fresh, UNKNOWN)
    prepared = torchvision_preparation(weights[-1])
    names = tuple(weights[-1].meta.get("categories") or ())
    return Offer("torchvision", fresh, prepared, names if classes is None else (), classes or len(names) or None)


def torchvision_preparation(weights: Any) -> Preparation:
    """How images are prepared for torchvision's `weights`, one of its `WeightsEnum`s."""
    made: Any = weights.transforms()
    crop, resized = made.crop_size[0], made.resize_size[0]
    return Preparation(
        (3, crop, crop),
        "crop",
        ChannelStatistics(tuple(made.mean), tuple(made.std)),
        f"as torchvision evaluates its {weights.name} weights",
        made.interpolation.value,
        crop / resized,
    )


def timm(name: str, *, values: bool = True, classes: int | None = None) -> Offer:
    """timm's network of that name, where timm is installed."""
    try:
        library: Any = importlib.import_module("timm")
    except ModuleNotFoundError:
        raise RequestError(f"timm:{name} needs timm, which is not installed: pip install timm") from None
    known = library.list_models()
    if name.split(".")[0] not in known:
        raise RequestError(unknown("network", name, known) + " They are timm's, such as timm:inception_v4.")
    options = {} if classes is None else {"num_classes": classes}
    fresh = _quiet(lambda: library.create_model(name, pretrained=False, **options))
    made = _made(fresh, False)
    names = classes_of_timm(getattr(made, "num_classes", None)) if classes is None else ()
    return Offer("timm", fresh, preparation_of_timm(getattr(made, "default_cfg", {})), names)


def classes_of_timm(count: int | None) -> tuple[str, ...]:
    """ImageNet's names of so many classes, as timm has them; none for another number, or without timm."""
    try:
        data: Any = importlib.import_module("timm.data")
        subset = data.infer_imagenet_subset({"num_classes": count})
        return () if subset is None else tuple(all_different(data.ImageNetInfo(subset).label_descriptions()))
    except ModuleNotFoundError:
        return ()


def all_different(names: Sequence[str]) -> list[str]:
    """The names, with its number behind each that has stood before: ImageNet has two cranes.

    Example:
        >>> all_different(["crane", "wren", "crane"])
        ['crane', 'wren', 'crane (2)']
    """
    first = {name: number for number, name in reversed(list(enumerate(names)))}
    return [name if first[name] == number else f"{name} ({number})" for number, name in enumerate(names)]


def preparation_of_timm(own: Mapping[str, Any]) -> Preparation:
    """The preparation that timm evaluates with, by the `default_cfg` of its network."""
    shape = tuple(own.get("input_size", UNKNOWN.shape))
    if "mean" not in own or "std" not in own:
        return replace(UNKNOWN, shape=shape)
    fit = TIMM_FITS.get(own.get("crop_mode") or "center", "crop")
    bars = fit == "letterbox"
    resized = math.floor(shape[1] / (own.get("crop_pct") or TIMM_CROP))
    return Preparation(
        shape,
        fit,
        ChannelStatistics(tuple(own["mean"]), tuple(own["std"])),
        "as timm evaluates its weights" + ("; its bars have the mean's colour, these are black" if bars else ""),
        "bilinear" if own.get("interpolation") == "bilinear" else "bicubic",
        None if bars else min(1.0, shape[1] / resized),
    )


def _made(fresh: Callable[[int], nn.Module], values: bool) -> nn.Module:
    """The network of seed 0; see `Offer.model`."""
    if values:
        return fresh(0)
    try:
        with torch.device("meta"):
            return fresh(0)
    except LAYER_FAILURES:
        return fresh(0)


ZOOS: dict[str, Zoo] = {"torchvision": torchvision, "timm": timm}
"""By what stands before the colon."""


def _quiet(make: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    """`make` with random weights from a seed, and without the warnings of a zoo about its own future."""

    def fresh(seed: int) -> nn.Module:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            torch.manual_seed(seed)
            return make()

    return fresh
