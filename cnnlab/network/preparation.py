"""A network with what a picture needs on its way to it: size, fit, statistics and class names, as in training."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from cnnlab.config.config import Config, read_config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import DataPlace, Dataset
from cnnlab.data.decoding import Fit
from cnnlab.data.statistics import ChannelStatistics
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.network.named import NamedModel, named_model
from cnnlab.network.runnable import check_runs
from cnnlab.network.trained import new_network
from cnnlab.network.weights_file import load_weights_file
from cnnlab.runs.images import evaluation_pictures, training_pictures

IMAGENET = ChannelStatistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Of the pictures that torchvision's and timm's weights are for, where a network names no others."""

OF_A_RUN = ("best", "last")
"""Weights that a run has; anything else is a file."""


@dataclass(frozen=True)
class Preparation:
    """How a picture of any size becomes what the network sees."""

    shape: Shape
    """(channels, height, width), a square."""
    fit: Fit
    statistics: ChannelStatistics
    """What is taken off and divided by, of pixels in 0 … 1."""
    source: str
    """Whose statistics and fit these are."""

    @property
    def sentence(self) -> str:
        """For a person."""
        ways = {"crop": "the middle square is cut out", "pad": "black bars make it square", "stretch": "stretched"}
        mean, std = (", ".join(f"{v:.3f}" for v in values) for values in (self.statistics.mean, self.statistics.std))
        return (
            f"each picture: {ways[self.fit]}, resized to {self.shape[1]} × {self.shape[2]} px, mean {mean} taken off, "
            f"divided by {std} ({self.source})"
        )

    def inputs(self, pixels: UInt8[Tensor, "n c h w"]) -> Tensor:
        """Fitted pictures as the network takes them, float32."""
        return normalise(pixels, self.statistics)


@dataclass(frozen=True, eq=False)
class PreparedNetwork:
    """A network, ready for pictures."""

    named: NamedModel
    """On its device, in evaluation mode; its class names where they are known."""
    preparation: Preparation
    weights: str
    """What its weights are, in words."""
    config: Config | None = None
    """Of a run or a config."""

    def part(self, split: str, place: DataPlace) -> Dataset:
        """The `train` or `validation` pictures of the network's own data.

        Raises: RequestError for a network without any, or a part that was not kept.
        """
        if self.config is None:
            raise RequestError(f"{self.named.name} has no data of its own, so --split has nothing to take; give files")
        if self.named.run is not None:
            return evaluation_pictures(self.named.run, self.config, split, place)
        halves = training_pictures(self.config, place)
        if split == "validation" and halves.validation is None:
            raise RequestError(f"{self.named.name} keeps no validation part (data.validation is 0); use --split train")
        return halves.train if split == "train" or halves.validation is None else halves.validation

    def held_out(self, place: DataPlace) -> tuple[str, Dataset]:
        """The `validation` pictures where a part was kept, otherwise the `train` pictures, with the part's name."""
        assert self.config is not None
        if self.named.run is not None:
            split = "validation" if self.named.run.record.data.validation else "train"
            return split, evaluation_pictures(self.named.run, self.config, split, place)
        halves = training_pictures(self.config, place)
        return ("validation", halves.validation) if halves.validation is not None else ("train", halves.train)


def prepared_network(
    text: str,
    runs: Path,
    *,
    size: str | None,
    weights: str | None,
    device: torch.device,
    place: DataPlace,
    allow_plugins: bool = False,
) -> PreparedNetwork:
    """The network that `text` names, for pictures of `size` in place of its own.

    weights: `best` (by default) or `last` of a run; for any other network a file, without which they are random.
    A config's statistics and class names are those of its data, which is loaded for them.

    Raises: RequestError where there is no such network or file, where the two do not fit each other, and for a size
    that is no square or too small for the network.
    """
    which: Any = weights if weights in OF_A_RUN else "best"
    named = named_model(text, runs, size=size, weights=which, device=device, allow_plugins=allow_plugins)
    if len(named.shape) != 3 or named.shape[1] != named.shape[2]:
        given = " × ".join(map(str, named.shape[1:]))
        raise RequestError(f"pictures become squares, and --input asks for {given}; give one number, such as 224")
    if named.shape[0] not in (1, 3):
        raise RequestError(f"{named.name} takes pictures of {named.shape[0]} channels; files have 1 or 3")
    if named.run is not None:
        found = of_run(named, weights, allow_plugins=allow_plugins)
    else:
        if weights in OF_A_RUN:
            raise RequestError(f"--weights {weights} is of a run, and {named.name} is none; give a file of weights")
        found = _of_config(named, text, place, allow_plugins) if named.origin == "config" else _of_zoo(named)
        found = _with_weights(found, weights)
    found.named.model.to(device).eval()
    if size is not None:
        _check_size(found.named, device)
    return found


def _check_size(named: NamedModel, device: torch.device) -> None:
    """One picture of zeros tells whether the size will do; a walk through the network, why not."""
    try:
        with torch.no_grad():
            named.model(torch.zeros(1, *named.shape, device=device))
    except LAYER_FAILURES as error:
        check_runs(named)
        raise RequestError(
            f"{named.name} does not run on {named.shape[1]} × {named.shape[2]} px: {_first_line(error)}"
        ) from None


def of_run(named: NamedModel, weights: str | None, *, allow_plugins: bool = False) -> PreparedNetwork:
    """A run's network, `named` with those weights, with what its pictures need.

    Raises: RequestError for weights that a run does not have.
    """
    assert named.run is not None
    if weights is not None and weights not in OF_A_RUN:
        raise RequestError(f"--weights is '{weights}', and the run {named.name} has best and last")
    config, data = named.run.config(allow_plugins=allow_plugins), named.run.record.data
    source = f"as the run {named.name} was trained"
    preparation = Preparation(named.shape, _fit(config), ChannelStatistics(data.mean, data.std), source)
    return PreparedNetwork(named, preparation, f"the {weights or 'best'} weights of the run {named.name}", config)


def _of_config(named: NamedModel, text: str, place: DataPlace, allow_plugins: bool) -> PreparedNetwork:
    config = read_config(Path(text), allow_plugins=allow_plugins)
    halves = training_pictures(config, place)
    classes = halves.train.classes
    named = replace(named, model=new_network(config, named.shape, len(classes)), classes=classes)
    preparation = Preparation(named.shape, _fit(config), halves.statistics, f"of the training part of {named.name}")
    return PreparedNetwork(named, preparation, f"random weights (seed {config.seed})", config)


def _of_zoo(named: NamedModel) -> PreparedNetwork:
    statistics, source, classes = IMAGENET, "ImageNet's, as it names no others", named.classes
    if named.origin == "torchvision":
        from torchvision import models

        entries = list(models.get_model_weights(named.name.partition(":")[2]))
        if entries:
            made = entries[-1].transforms()
            statistics = ChannelStatistics(tuple(made.mean), tuple(made.std))
            source, classes = "as torchvision's weights of it want", tuple(entries[-1].meta["categories"])
    else:
        own = getattr(named.model, "default_cfg", {})
        if "mean" in own and "std" in own:
            statistics, source = ChannelStatistics(tuple(own["mean"]), tuple(own["std"])), "as timm's weights want"
    if len(statistics.mean) != named.shape[0]:
        raise RequestError(f"{named.name} is for pictures of {len(statistics.mean)} channels, not {named.shape[0]}")
    preparation = Preparation(named.shape, "crop", statistics, source)
    return PreparedNetwork(replace(named, classes=classes), preparation, "random weights (seed 0)")


def _with_weights(found: PreparedNetwork, weights: str | None) -> PreparedNetwork:
    if weights is None:
        return found
    path = Path(weights).expanduser()
    load_weights_file(found.named.model, path)
    return replace(found, named=replace(found.named, trained=True, fresh=None), weights=f"weights of {path}")


def _fit(config: Config) -> Fit:
    fit: Fit = config.data.dataset.options.get("fit", "crop")
    return fit


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
