"""What a network costs on this machine."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from cnnlab.api.question import Questions, last
from cnnlab.api.result import Result, plain
from cnnlab.api.values import check_number, check_threads
from cnnlab.layers_lab.cost.facts import CostFacts, LayerTime
from cnnlab.layers_lab.cost.report import cost_json, cost_report
from cnnlab.layers_lab.cost.run import REPEATS, cost_facts
from cnnlab.stats.repeats import Repeats
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Cost(Result):
    """Counted and measured costs, alone or beside the same network with other convolutions."""

    document_name: ClassVar[str] = "cost.json"

    facts: CostFacts

    @property
    def parameters(self) -> int:
        """How many there are."""
        return self.facts.network.costs.parameters

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return self.facts.network.costs.macs

    @property
    def latency(self) -> Repeats:
        """Seconds of a pass of one image: median and quartiles over repeats."""
        return self.facts.network.latency

    @property
    def images_per_second(self) -> dict[int, float]:
        """By size of batch."""
        return {speed.batch: speed.images_per_second for speed in self.facts.network.speeds}

    @property
    def layers(self) -> tuple[LayerTime, ...]:
        """Each layer with its part of the time, the longest first."""
        return self.facts.network.layers

    @property
    def gain(self) -> Repeats | None:
        """How many times faster the exchanged network is for one image; None without a swap."""
        return self.facts.gains[0] if self.facts.gains else None

    @cached_property
    def report(self) -> Report:
        """Totals, speed by size of batch, the time of each layer, and what was exchanged."""
        return cost_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return plain(cost_json(self.facts))


class Costing(Questions):
    """What can be asked of a network's costs."""

    def cost(self, *, swap: str | None = None, repeats: int = REPEATS, threads: int | None = None) -> Cost:
        """Count what the layers cost, and time forward passes on this machine.

        Arguments:
            swap: `depthwise_separable`, for the same network with each dense convolution replaced, timed in turn.
            repeats: passes that are timed, of each size of batch up to `max_batch` of `cnnlab.open`.
            threads: of the processor; torch's own number where none is given.

        Returns:
            Parameters, multiply-accumulates, memory, latency, images per second, and the time of each layer.

        Raises:
            RequestError: for a swap that is none, a network without a convolution to exchange, and one that cannot run
                at its size.

        Example:
            >>> import cnnlab
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=32, device="cpu", max_batch=1)
            >>> found = net.cost(swap="depthwise_separable", repeats=1)
            >>> found.parameters, found.facts.other.costs.parameters
            (1235496, 745670)
        """
        check_number("repeats", repeats, 1)
        check_threads(threads)
        with self._asked() as network:
            return Cost(last(cost_facts(network, self._session, swap=swap, repeats=repeats, thread_count=threads)))
