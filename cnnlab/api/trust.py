"""How far a network and its maps are to be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from cnnlab.api.given import GivenData
from cnnlab.api.question import Open, Questions, last
from cnnlab.api.result import Result, plain
from cnnlab.api.values import check_choice, check_number
from cnnlab.attribution.catalog import Asked, chosen_methods
from cnnlab.trust.audit.facts import EvidenceFacts, evidence_document
from cnnlab.trust.audit.report import evidence_report
from cnnlab.trust.audit.run import AUTO, AuditOptions, audit_facts
from cnnlab.trust.sanity.facts import SanityFacts, sanity_document
from cnnlab.trust.sanity.report import sanity_report
from cnnlab.trust.sanity.run import SanityOptions, sanity_facts
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Sanity(Result):
    """Whether each method's maps depend on what the network has learned."""

    document_name: ClassVar[str] = "sanity.json"

    facts: SanityFacts

    @property
    def verdicts(self) -> Mapping[str, str]:
        """Of each method `passes`, `passes in sign only`, `fails`, `undecided` or `no maps`."""
        return {one.name: one.outcome for one in self.facts.verdicts}

    @cached_property
    def report(self) -> Report:
        """The maps at each depth, how alike they stay, and the verdicts."""
        return sanity_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Similarities with their intervals, and the verdicts."""
        return plain(sanity_document(self.facts))


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Result):
    """Whether answers rest on the object or on borders and corners."""

    document_name: ClassVar[str] = "audit.json"

    facts: EvidenceFacts

    @property
    def holds(self) -> bool:
        """Whether every limit holds."""
        return not self.facts.broken

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each limit that is broken."""
        return tuple(self.facts.reasons)

    @cached_property
    def report(self) -> Report:
        """Where the evidence lies, the limits, and the images that are most suspicious."""
        return evidence_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Shares of the evidence with their intervals, and the limits."""
        return plain(evidence_document(self.facts))


class Trust(Questions):
    """What can be asked of the grounds on which a network is trusted."""

    def sanity(
        self,
        data: GivenData | None = None,
        *,
        split: Open | None = None,
        methods: str | Sequence[Asked] = "auto",
        count: int = 32,
        depths: int = 16,
        labels: bool = False,
        epochs: int | None = None,
    ) -> Sanity:
        """Check that maps depend on what was learned: randomise the network, layer by layer, and compare.

        Arguments:
            data: as of `evaluate`.
            split: `train` or `validation`; by default what was held out.
            methods: as of `explain`; "auto" takes the map that fits the head, and three of pixels.
            count: images that are explained.
            depths: at how many layers, at most.
            labels: whether a small copy of a run is trained on random labels, too.
            epochs: of that training.

        Returns:
            A verdict on each method; to pass does not make a map right.

        Raises:
            RequestError: for what cannot be asked.
            WorkError: for maps or answers that are NaN or infinite.
        """
        check_choice("split", split, (None, "train", "validation"))
        check_number("count", count, 1)
        check_number("depths", depths, 1)
        with self._asked(data) as network:
            chosen = () if isinstance(methods, str) and methods == "auto" else chosen_methods(methods)
            options = SanityOptions(split, count, chosen, depths=depths, labels=labels, epochs=epochs)
            return Sanity(last(sanity_facts(network, self._session, options)))

    def audit(
        self,
        data: GivenData | None = None,
        *,
        split: Open | None = None,
        method: str | Sequence[Asked] = "auto",
        layer: str = "auto",
        max_border: float | None = None,
        min_inside: float | None = None,
        by: str | None = None,
        count: int = 500,
    ) -> Audit:
        """Tell whether answers rest on the object or on borders and corners.

        Arguments:
            data: as of `evaluate`.
            split: `train` or `validation`; by default what was held out.
            method: one method, as of `explain`; by itself gradient × input, with `layer` the map that fits the head.
            layer: where class activation maps look.
            max_border: the largest mean share of the evidence in the outer frame, 0 … 1; by default that of evidence
                that is spread evenly.
            min_inside: the least mean share on the object, likewise.
            by: groups that are held to the limits, too: `group`, `class`, or a regular expression on the path.
            count: images, at most.

        Returns:
            Where the evidence lies, and whether every limit `holds`.

        Raises:
            RequestError: for what cannot be asked.
            WorkError: where no map has positive evidence.
        """
        check_choice("split", split, (None, "train", "validation"))
        check_number("count", count, 1)
        with self._asked(data) as network:
            chosen = AUTO if isinstance(method, str) and method == AUTO else chosen_methods(method)
            options = AuditOptions(split, count, by, chosen, layer, max_border, min_inside)
            return Audit(last(audit_facts(network, self._session, options)))
