"""The loss around a network's weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from cnnlab.api.given import GivenData, about
from cnnlab.api.question import Open, Questions, last
from cnnlab.api.result import Result, plain
from cnnlab.api.values import path_or_none
from cnnlab.evaluation.side_by_side_run import comparable
from cnnlab.landscape.facts import Landscape
from cnnlab.landscape.report import landscape_report
from cnnlab.landscape.run import LandscapeOptions, landscape
from cnnlab.stats.claim import Claim
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class LossLandscape(Result):
    """The loss around the weights of a network, and of those beside it."""

    document_name: ClassVar[str] = "facts.json"

    facts: Landscape

    @property
    def losses(self) -> NDArray[np.float64]:
        """(points, points) of the first network, in nats; rows go along the second random direction."""
        return self.facts.networks[0].surface.losses

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What it says of what is claimed, such as that batch norm makes the landscape smoother."""
        return self.facts.claims

    @cached_property
    def report(self) -> Report:
        """Surfaces, the rise along random directions, and paths."""
        return landscape_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Every loss, and the claims."""
        return plain(self.facts.as_json())


class Landscapes(Questions):
    """What can be asked of the weights around a network's own."""

    def landscape(
        self,
        data: GivenData | None = None,
        *,
        beside: "Sequence[Landscapes]" = (),
        split: Open | None = None,
        count: int = 512,
        points: int = 17,
        span: float = 1.0,
        draws: int = 8,
        path: bool = True,
        statistics: Literal["retaken", "kept"] = "retaken",
        keep: str | Path | None = None,
    ) -> LossLandscape:
        """Measure the loss over two filter-normalised random directions, and in the plane of the training's path.

        Arguments:
            data: as of `evaluate`.
            beside: other opened networks, measured over the same images and along the same draws.
            split: `train` or `validation`; by default what the training went down on.
            count: images over which the loss is the mean, at most.
            points: places along each side; odd, so that the middle one is the network itself.
            span: how far it reaches; 1 moves each filter by its own length.
            draws: random directions for the mean rise.
            path: whether the path is measured, too, where a run kept the weights of its epochs.
            statistics: batch norm's running statistics are `retaken` at each place, over the same images as training
                saw them (augmented as the config says), or `kept` as they are.
            keep: a folder for the grids, in which a later call finds what is measured already.

        Returns:
            The losses, in nats, and what they say of what is claimed.

        Raises:
            RequestError: for a network without weights or images, and for networks of other images than the first.

        Example:
            >>> import cnnlab, torch
            >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(),
            ...                             torch.nn.Linear(144, 2))
            >>> net = cnnlab.open(model, size=8, classes=["day", "night"], device="cpu")
            >>> images, labels = torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1])
            >>> net.landscape((images, labels), points=3, draws=2).losses.shape
            (3, 3)
        """
        options = LandscapeOptions(
            split, count, points=points, span=span, draws=draws, path=path, statistics=statistics
        )
        with self._asked(data) as network:
            networks = (network, *(about(other._network, data, other._session) for other in beside))
            if beside and data is None:
                networks = comparable(networks, self._session)
            place = path_or_none("keep", keep)
            return LossLandscape(last(landscape(networks, self._session, options, keep=place)))
