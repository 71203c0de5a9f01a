"""The way from what a person calls a network to one that can be asked."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import nn

from cnnlab.api.opened import OpenedNetwork
from cnnlab.api.untouched import told, untouched
from cnnlab.api.values import check_number, path_of, path_or_none
from cnnlab.core.errors import RequestError
from cnnlab.models.own import said_to
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.description import ModelOptions
from cnnlab.network.open import open_network
from cnnlab.network.own import copied, unwrapped
from cnnlab.network.session import Session


def open(
    what: str | Path | nn.Module,
    *,
    weights: str | Path | None = None,
    weights_key: str | None = None,
    size: str | int | Sequence[int] | None = None,
    mean: str | float | Sequence[float] | None = None,
    std: str | float | Sequence[float] | None = None,
    classes: str | int | Path | Sequence[str] | None = None,
    fit: str | None = None,
    interpolation: str | None = None,
    crop_share: float | None = None,
    preparation: str | Path | None = None,
    output: str | int | None = None,
    activation: str | None = None,
    images: bool = True,
    device: str | torch.device | None = None,
    data: str | Path | None = None,
    runs: str | Path = "runs",
    allow_plugins: bool = False,
    max_batch: int = 64,
    seed: int = 0,
) -> OpenedNetwork:
    """Open a network, to look at it, to use it and to ask how far to trust it.

    Arguments:
        what: a run's name or folder, a config (.yaml), `FILE.py:NAME` or `package.module:NAME` (a class, a function or
            a module, with arguments such as `net.py:ResNet(depth=20)`), `torchvision:NAME`, `timm:NAME`, or a module.
            A module stays where it is and as it is.
        weights: of a run `best` or `last`; a file for any other network.
        weights_key: where in the file they are, such as `ema`.
        size: of its images, in pixels: 224, (height, width), or (channels, height, width).
        mean: what is taken off the channels, of pixels in 0 … 1.
        std: what they are divided by then.
        classes: names of its classes, in the order of its logits; a file with a name a line; or their number.
        fit: how an image of another shape is made to fit: `crop`, `letterbox` or `stretch`.
        interpolation: how images are resized: `bilinear` or `bicubic`.
        crop_share: the share of each side that is kept where images are resized and then cut, such as 0.875.
        preparation: a YAML file with these.
        output: which of several outputs holds the logits: its key, attribute or number.
        activation: `softmax`, or `sigmoid` where each class is a question of its own.
        images: False where its layers alone are looked at (`receptive_fields`, `summary`, `filters`): nothing is
            loaded for a config then, and its images may have any number of channels.
        device: `cpu`, `cuda`, `cuda:1` or `mps`; by default the best there is, and for a module the one it is on.
            With a device that is named, a copy of the module is looked at, there.
        data: images that it is asked about: a folder, a CSV, a config or a data set; of a run where its own are now.
        runs: the folder that holds the runs.
        allow_plugins: whether Python files that a run or a config names may be run.
        max_batch: images that pass through it at a time, at most.
        seed: of the choice of images, and of methods that draw.

    Returns:
        The network.

    Raises:
        RequestError: where there is no such network, file or data, with the nearest name, and where what is said of it
            does not fit; with the user's own calls in `details` where their code raises an error.

    Example:
        >>> import cnnlab
        >>> from torch import nn
        >>> module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
        >>> net = cnnlab.open(module, size=32, classes=["cat", "dog"], mean=0.5, std=0.25)
        >>> net.shape, net.classes, module.training
        ((3, 32, 32), ('cat', 'dog'), True)
    """
    said = {
        "weights": weights, "weights_key": weights_key, "size": size, "mean": mean, "std": std, "classes": classes,
        "fit": fit, "interpolation": interpolation, "crop_share": crop_share, "preparation": preparation,
        "output": output, "activation": activation,
    }  # fmt: skip
    check_number("max_batch", max_batch, 1)
    check_number("seed", seed, 0)
    path_or_none("weights", weights)
    path_or_none("preparation", preparation)
    options = cast("ModelOptions", {name: value for name, value in said.items() if value is not None})
    wanted = None if device is None else str(device)
    with told(), ExitStack() as stack:
        stack.enter_context(untouched())
        if isinstance(what, nn.Module):
            stack.enter_context(undisturbed(what, training=None))
            if weights is not None or wanted is not None:
                what = copied(
                    unwrapped(what), type(what).__name__
                )  # a file of weights is loaded into the copy, and the copy is moved
            wanted = wanted or str(_device_of(what))
        session = Session(
            runs=path_of("runs", runs),
            device_name=wanted or "auto",
            data=path_or_none("data", data),
            allow_plugins=allow_plugins,
            max_batch=max_batch,
            seed=seed,
        )
        heard: list[str] = []
        with said_to(heard.append):
            found = open_network(what, session, for_images=images, **options)
        return OpenedNetwork(replace(found, remarks=(*heard, *found.remarks)), session)


def _device_of(module: nn.Module) -> torch.device:
    """The device that all of `module` is on; the processor where it has no parameters.

    Raises: RequestError where it is on several.
    """
    found = {tensor.device for tensor in (*module.parameters(), *module.buffers()) if not tensor.is_meta}
    if len(found) > 1:
        names = " and ".join(sorted(map(str, found)))
        raise RequestError(
            f"the module is on {names}; put it on one device, or name one with `device` for a copy there"
        )
    return next(iter(found), torch.device("cpu"))
