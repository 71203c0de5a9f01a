"""Experiments on a network whose images move."""

from collections.abc import Sequence
from contextlib import ExitStack
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
from cnnlab.probe.position.facts import PositionFacts, position_document
from cnnlab.probe.position.report import position_report
from cnnlab.probe.position.run import position
from cnnlab.probe.shift.facts import ShiftedNetwork, ShiftFacts, shift_document
from cnnlab.probe.shift.report import shift_report
from cnnlab.probe.shift.run import shift
from cnnlab.probe.shift.windows import Border
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


@dataclass(frozen=True, eq=False, repr=False)
class Shifts(Result):
    """What becomes of answers when the image moves, of one network or of several side by side."""

    facts: ShiftFacts

    @property
    def networks(self) -> tuple[ShiftedNetwork, ...]:
        """One for each network, and for each with a change."""
        return self.facts.networks

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is said of shifts, and whether it holds here."""
        return self.facts.claims

    @cached_property
    def report(self) -> Report:
        """The curves, the table, and the claims."""
        return shift_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Accuracy and changed answers at every shift."""
        return shift_document(self.facts)


@dataclass(frozen=True, eq=False, repr=False)
class Position(Result):
    """What layers tell of places."""

    facts: PositionFacts

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is said of padding, and whether it holds here."""
        return self.facts.claims

    @cached_property
    def report(self) -> Report:
        """The depth, the maps, what is pooled, and the claims."""
        return position_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """R² of each layer."""
        return position_document(self.facts)


class Probes(Questions):
    """Experiments on a network."""

    def equivariance(
        self,
        data: GivenData | None = None,
        *,
        split: Open | None = None,
        count: int | None = None,
        shifts: int | Sequence[int] = (),
        what_if: str | Sequence[str] = (),
        depth: int | None = None,
    ) -> Equivariance:
        """Measure whether each layer's maps move as the image does, where they do not, and what keeps them from it.

        Arguments:
            data: as of `evaluate`; a network without any is shown noise.
            split: `train` or `validation`; by default what was held out.
            count: images; by default 16, and 4 of those that are larger than 64 px.
            shifts: whole pixels; by default up to the largest stride.
            what_if: further ways to run it with the same weights: `padding=circular|reflect|replicate`,
                `pool=blur_pool`, `activation=identity`, such a value of a layer (`layer2=blur_pool`), or
                several of them with blanks between.
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
        _check_part(split)
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

    def shift(
        self,
        data: GivenData | None = None,
        *,
        beside: "Sequence[Questions]" = (),
        split: Open | None = None,
        count: int = 1000,
        max_shift: int = 4,
        border: Border = "reflect",
        what_if: str | Sequence[str] = (),
    ) -> Shifts:
        """Measure accuracy and changed answers when the image moves by a few pixels.

        Arguments:
            data: as of `evaluate`; for all networks.
            beside: more networks that were opened, on the same images.
            split: `train` or `validation`; by default what was held out.
            count: images, at most.
            max_shift: pixels; every shift up to it is made along either axis.
            border: what comes in: `reflect`, `replicate`, `zero`, `circular`, or `canvas` for windows of an image that
                is enlarged by as much as it moves.
            what_if: each network once more with the same weights and such a change, as of `equivariance`.

        Returns:
            Accuracy and the share of answers that change at each shift, with intervals, and the consistency.

        Raises:
            RequestError: for a shift that leaves nothing of an image, and networks with other images.
            WorkError: where answers are NaN or infinite.

        Example:
            >>> import cnnlab, numpy as np
            >>> from torch import nn
            >>> dense = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
            >>> net = cnnlab.open(dense, size=(3, 8, 8), device="cpu")
            >>> images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
            >>> len(net.shift((images, [0, 1, 0, 1]), max_shift=2).networks[0].shifts)
            9
        """
        _check_part(split)
        with ExitStack() as stack:
            networks = [stack.enter_context(one._asked(data)) for one in (self, *beside)]
            steps = shift(
                networks,
                self._session,
                split=split,
                count=count,
                max_shift=max_shift,
                border=border,
                what_if=listed(what_if),
            )
            return Shifts(last(steps))

    def position(self, *, count: int = 128, what_if: str | Sequence[str] = (), depth: int | None = None) -> Position:
        """Read places out of each layer, of images that have none: what tells them is the border.

        Arguments:
            count: images of noise, and as many of patterns.
            what_if: further ways to run it, as of `equivariance`.
            depth: how deep to go into layers of layers.

        Returns:
            R² of a linear read-out for each layer, as it is and with circular padding.

        Raises:
            RequestError: for fewer than 4 images, and for a change that is none.

        Example:
            >>> import cnnlab
            >>> from torch import nn
            >>> layers = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
            >>> net = cnnlab.open(nn.Sequential(*layers), size=(1, 8, 8), device="cpu")
            >>> list(net.position(count=16).facts.maps[1].told)
            ['as it is', 'padding=circular']
        """
        with self._asked() as network:
            steps = position(network, self._session, count=count, what_if=listed(what_if), depth=depth)
            return Position(last(steps))


def _check_part(split: str | None) -> None:
    if split not in (None, "train", "validation"):
        raise RequestError(f"`split` is '{split}', expected train or validation")
