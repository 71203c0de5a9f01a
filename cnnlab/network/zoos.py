"""Networks that other libraries make by name: `torchvision:NAME` and `timm:NAME`."""

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError, unknown
from cnnlab.data.batches import ChannelStatistics
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.network.network import Origin

IMAGENET = ChannelStatistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Of the images that torchvision's and timm's weights are for, where a network names no others."""


@dataclass(frozen=True, eq=False)
class Offer:
    """A network of a zoo, and what it says of the images that its weights are for."""

    origin: Origin
    fresh: Callable[[int], nn.Module]
    """The network with random weights from a seed."""
    shape: Shape
    """(channels, height, width) in pixels."""
    statistics: ChannelStatistics = IMAGENET
    source: str = "ImageNet's, as it names no others"
    """Whose statistics these are."""
    classes: tuple[str, ...] = field(default=())

    def model(self, values: bool) -> nn.Module:
        """The network of seed 0; without `values` on meta, which takes no time, where it can be made so."""
        if values:
            return self.fresh(0)
        try:
            with torch.device("meta"):
                return self.fresh(0)
        except LAYER_FAILURES:
            return self.fresh(0)


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
        return Offer("torchvision", fresh, (3, 224, 224))
    made: Any = weights[-1].transforms()
    crop = getattr(made, "crop_size", [224])[0]
    return Offer(
        "torchvision",
        fresh,
        (3, crop, crop),
        ChannelStatistics(tuple(made.mean), tuple(made.std)),
        "as torchvision's weights of it want",
        tuple(weights[-1].meta.get("categories") or ()) if classes is None else (),
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
    own = getattr(Offer("timm", fresh, ()).model(False), "default_cfg", {})
    shape = tuple(own.get("input_size", (3, 224, 224)))
    if "mean" not in own or "std" not in own:
        return Offer("timm", fresh, shape)
    statistics = ChannelStatistics(tuple(own["mean"]), tuple(own["std"]))
    return Offer("timm", fresh, shape, statistics, "as timm's weights want")


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
