"""Networks side by side from Python."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from cnnlab.api.given import GivenData, about
from cnnlab.api.open import open
from cnnlab.api.opened import OpenedNetwork
from cnnlab.api.question import inside
from cnnlab.api.result import Result, plain
from cnnlab.api.untouched import told, untouched
from cnnlab.api.values import check_choice, check_number, path_of, path_or_none
from cnnlab.core.errors import RequestError
from cnnlab.evaluation.side_by_side import PairsOf, SideBySide
from cnnlab.evaluation.side_by_side_run import Compared, SideBySideOptions, comparable, compare_networks
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """Networks side by side on the same images."""

    made: Compared

    @property
    def facts(self) -> SideBySide:
        """Measures of each network, pairs, recalls of each class, and the images that set them apart."""
        return self.made.facts

    @property
    def accuracies(self) -> Mapping[str, float]:
        """Of each network the share of images with the right answer, 0 … 1."""
        return {one.name: one.facts.accuracy for one in self.facts.networks}

    @property
    def p_values(self) -> Mapping[tuple[str, str], float]:
        """Of each pair McNemar's exact test, after Holm's correction where there are several pairs."""
        names = tuple(self.accuracies)
        return {(names[pair.first], names[pair.second]): pair.p_adjusted for pair in self.facts.pairs}

    @property
    def differences(self) -> Mapping[tuple[str, str], tuple[float, float, float]]:
        """Of each pair the accuracy of the second minus that of the first, −1 … 1, and its 95 % interval."""
        names = tuple(self.accuracies)
        found = ((pair, pair.counts.interval) for pair in self.facts.pairs)
        return {
            (names[pair.first], names[pair.second]): (pair.counts.difference, interval.low, interval.high)
            for pair, interval in found
        }

    @property
    def report(self) -> Report:
        """Measures, pairs, classes, the images that set them apart; of runs the configs' differences and curves."""
        return self.made.report

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data; shares are 0 … 1."""
        return plain(self.made.document())


def compare(
    networks: Iterable[OpenedNetwork | str | Path | nn.Module],
    *,
    data: GivenData | None = None,
    split: Literal["train", "validation", "test"] = "validation",
    pairs: PairsOf = "all",
    device: str | torch.device | None = None,
    runs: str | Path = "runs",
    allow_plugins: bool = False,
    max_batch: int = 64,
) -> Comparison:
    """Set networks side by side on the same images, each of which is prepared for each network in its own way.

    Arguments:
        networks: a list of two or more, of the same classes in any order: what `cnnlab.open` gave, or what it takes
            without a word of description.
        data: a folder, a CSV, a config, the name of a data set, or (images, labels); by default the data that one was
            opened with, or that of the first run or config among them.
        split: the part of the data; each opening of a run's own `test` is noted in the run.
        pairs: `all`, or `first` for each network with the first alone.
        device: where networks that are named are opened; by default the best there is.
        runs: the folder that holds the runs.
        allow_plugins: whether Python files that a run or a config names may be run.
        max_batch: images that pass through a network at a time, at most.

    Returns:
        Accuracy, calibration and cost of each, the differences with paired intervals and McNemar's exact test, and the
        images on which they differ most.

    Raises:
        RequestError: for a single network, where there is no such data, and for networks of other classes.
        WorkError: where a network's answers are NaN or infinite.

    Example:
        >>> import cnnlab, numpy as np
        >>> from torch import nn
        >>> modules = [nn.Sequential(nn.Flatten(), nn.Linear(192, 2)) for _ in range(2)]
        >>> nets = [cnnlab.open(one, size=(3, 8, 8), classes=["cat", "dog"]) for one in modules]
        >>> images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
        >>> found = cnnlab.compare(nets, data=(images, ["cat", "dog"] * 10))
        >>> list(found.accuracies), found.facts.n
        (['Sequential (1)', 'Sequential (2)'], 20)
    """
    check_choice("split", split, ("train", "validation", "test"))
    check_choice("pairs", pairs, ("all", "first"))
    check_number("max_batch", max_batch, 1)
    if isinstance(networks, (str, Mapping, nn.Module)) or not isinstance(networks, Iterable):
        raise RequestError(f"`networks` is one {type(networks).__name__}, expected a list of two networks or more")
    with told(), ExitStack() as stack:
        opened = [
            one
            if isinstance(one, OpenedNetwork)
            else open(one, device=device, runs=runs, allow_plugins=allow_plugins, max_batch=max_batch)
            for one in networks
        ]
        session = Session(
            runs=path_of("runs", runs),
            device_name="auto" if device is None else str(device),
            allow_plugins=allow_plugins,
            max_batch=max_batch,
        )
        for one in opened:
            stack.enter_context(untouched(one.model))
        found, places = [inside(one)[0] for one in opened], [inside(one)[1].data for one in opened]
        data = next((place for place in places if place is not None), None) if data is None else data
        if data is None or isinstance(data, (str, Path)):
            session = replace(session, data=path_or_none("data", data))
            alike: Sequence[Network] = comparable(found, session)
        else:
            alike = [replace(one, asked=about(one, data, session).asked) for one in found]
        return Comparison(compare_networks(alike, session, SideBySideOptions(split=split, pairs=pairs)))
