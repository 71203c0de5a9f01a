"""A network on one card, and on one page."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from cnnlab.api.given import GivenData
from cnnlab.api.question import Open, Questions, last
from cnnlab.api.result import Result, plain
from cnnlab.report.card.report import Card, card_json, report_card_report
from cnnlab.report.card.run import report_card
from cnnlab.report.run import PageFacts, page_facts, page_report
from cnnlab.view import json
from cnnlab.view.blocks import Report, SummaryLine


@dataclass(frozen=True, eq=False, repr=False)
class ReportCard(Result):
    """One image and four lenses on the answer: filters, a feature map, saliency, the map that fits the head."""

    document_name: ClassVar[str] = "report-card.json"

    facts: Card

    @property
    def answer(self) -> str:
        """The class that the network names."""
        return self.facts.answer

    @property
    def truth(self) -> str:
        """The image's own class."""
        return self.facts.truth

    @property
    def probability(self) -> float:
        """Of the answer, 0 … 1."""
        return self.facts.probability

    @property
    def saliency(self) -> Tensor:
        """The largest |∂logit/∂pixel| among the colours, (h, w)."""
        return self.facts.lenses.saliency

    @property
    def evidence(self) -> Tensor:
        """What speaks for the answer, at the layer's own resolution, (h, w); below 0 what speaks against it."""
        return self.facts.lenses.evidence

    @cached_property
    def report(self) -> Report:
        """The card, and where the evidence lies."""
        return report_card_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """The answer, which layers are shown, and the shares of the evidence."""
        return plain(card_json(self.facts))


@dataclass(frozen=True, eq=False, repr=False)
class ReportPage(Result):
    """Everything about a network, as it stands on one page."""

    document_name: ClassVar[str] = "report.json"

    facts: PageFacts

    @property
    def summary(self) -> tuple[SummaryLine, ...]:
        """The first lines of the page: a question each, with its answer."""
        return self.report.summary

    @cached_property
    def report(self) -> Report:
        """The page."""
        return page_report(self.facts, self.facts.usual_folder)

    def to_dict(self) -> dict[str, Any]:
        """`report`: the page as data, with every number that its figures show."""
        return {"report": plain(json.document(self.report))}

    def _report_in(self, folder: Path) -> Report:
        """The page, its links to the files of the run as they are from `folder`."""
        return page_report(self.facts, folder)


class Pages(Questions):
    """What can be asked about a network as a whole."""

    def report_card(
        self,
        data: GivenData | None = None,
        *,
        split: Open = "validation",
        pick: str | int = "first-correct",
        random_weights: bool = False,
    ) -> ReportCard:
        """Look at one image, and at the answer through four lenses.

        Arguments:
            data: as of `evaluate`.
            split: `train` or `validation`: the images to pick from.
            pick: `first-correct`, `wrong`, an image's number from 0, or a class.
            random_weights: whether the image goes through the same network before it learned anything.

        Returns:
            The card, six panels of 11 × 7 inches when it is saved, with its numbers.

        Raises:
            RequestError: where no image is meant, where the network has no layer with maps, and for random weights of
                a network that cannot be made anew.

        Example:
            >>> import cnnlab, numpy as np
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
            >>> card = net.report_card((np.zeros((2, 64, 64, 3), np.uint8), [0, 1]), pick=1)
            >>> card.saliency.shape, card.evidence.shape
            (torch.Size([64, 64]), torch.Size([3, 3]))
        """
        with self._asked(data) as network:
            part, images = self._part(network, split)
            return ReportCard(report_card(network, images, split=part, pick=str(pick), random_weights=random_weights))

    def report(self, data: GivenData | None = None) -> ReportPage:
        """Tell everything about the network, subject by subject, as on one page to hand to somebody else.

        Arguments:
            data: as of `evaluate`; the page is on what was held out.

        Returns:
            The page; `save` writes it with its tables and figures.

        Raises:
            RequestError: where there are no images to ask about.
            WorkError: where the network's answers are NaN or infinite.
        """
        with self._asked(data) as network:
            return ReportPage(last(page_facts(network, self._session)))
