"""Experiments on a network: whether it moves with its images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cnnlab.api.given import GivenData
from cnnlab.api.question import Open, Questions, last, listed
from cnnlab.api.result import Result
from cnnlab.core.errors import RequestError
from cnnlab.probe.equivariance.facts import EquivarianceFacts, LayerFacts, equivariance_document
from cnnlab.probe.equivariance.report import equivariance_report
from cnnlab.probe.equivariance.run import equivariance
from cnnlab.stats.claim import Claim
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Equivariance(Result):
    """How far the maps of each layer move as the image does."""

    facts: EquivarianceFacts

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is said of convolutions, and whether it holds here."""
        return self.facts.claims

    def __getitem__(self, layer: str) -> LayerFacts:
        found = next((one for one in self.facts.layers if one.name == layer), None)
        if found is None:
            raise KeyError(layer)
        return found

    @cached_property
    def report(self) -> Report:
        """Depth, causes, borders, turns, answers and claims."""
        return equivariance_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Every layer with its errors."""
        return equivariance_document(self.facts)


class Probes(Questions):
    """Experiments on a network."""

    def equivariance(
        self,
        data: GivenData | None = None,
        *,
        split: Open | None = None,
        count: int = 16,
        shifts: int | Sequence[int] = (),
        what_if: str | Sequence[str] = (),
        depth: int | None = None,
    ) -> Equivariance:
        """Measure whether each layer's maps move as the image does, where they do not, and what keeps them from it.

        Arguments:
            data: as of `evaluate`; a network without any is shown noise.
            split: `train` or `validation`; by default what was held out.
            count: images.
            shifts: whole pixels; by default up to the largest stride.
            what_if: further ways to run it with the same weights: `padding=circular|reflect|replicate`,
                `pool=blur_pool`, `activation=identity`, or several of them with blanks between.
            depth: how deep to go into layers of layers.

        Returns:
            The relative error of each layer, by shift and by what was taken away.

        Raises:
            RequestError: for a shift that leaves nothing of an image, and for a change that is none.

        Example:
            >>> import cnnlab
            >>> from torch import nn
            >>> layers = nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()
            >>> net = cnnlab.open(nn.Sequential(*layers), size=(1, 16, 16), device="cpu")
            >>> [spoiled.cells for spoiled in net.equivariance(count=2, shifts=2)["0"].spoiled]
            [(0, 1, 15), (0, 1, 15)]
        """
        if split not in (None, "train", "validation"):
            raise RequestError(f"`split` is '{split}', expected train or validation")
        pixels = [shifts] if isinstance(shifts, int) else shifts
        with self._asked(data) as network:
            facts = last(
                equivariance(
                    network,
                    self._session,
                    split=split,
                    count=count,
                    shifts=pixels,
                    what_if=listed(what_if),
                    depth=depth,
                )
            )
            return Equivariance(facts)
