"""When an image is none of a network's classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from cnnlab.api.given import GivenData
from cnnlab.api.question import Open, Questions, last, listed
from cnnlab.api.result import Result, plain
from cnnlab.api.values import check_number
from cnnlab.rejection.facts import Rejecting
from cnnlab.rejection.kept import Rejection, kept_at
from cnnlab.rejection.measured import keep
from cnnlab.rejection.report import reject_report
from cnnlab.rejection.run import RejectOptions, reject
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Rejected(Result):
    """A threshold under which an image is none of the classes, and what gets past it."""

    document_name: ClassVar[str] = "facts.json"

    facts: Rejecting

    @property
    def rejection(self) -> Rejection:
        """The rule, as `predict` takes it."""
        return self.facts.rejection

    @property
    def threshold(self) -> float:
        """The score below which an image is rejected."""
        return self.facts.rejection.threshold

    @cached_property
    def report(self) -> Report:
        """Every score's worth, the curve, and the outsiders that get in."""
        return reject_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """The rule without its statistics, and what every score is worth; shares are 0 … 1."""
        return plain(self.facts.as_json())


class Rejections(Questions):
    """What can be asked of images that are none of the classes."""

    def reject(
        self,
        data: GivenData | None = None,
        *,
        accept: Open | None = None,
        outside: str | Sequence[str] = (),
        score: str = "",
        share: float = 0.95,
        count: int = 1000,
        train_count: int = 5000,
        keep_it: bool = False,
    ) -> Rejected:
        """Find a threshold under which an image is none of the classes, and measure what gets past it.

        Arguments:
            data: as of `evaluate`.
            accept: `train` or `validation`, whose images are accepted; by default what was held out.
            outside: made outsiders by name (`cnnlab list outsiders`), data sets, configs, folders; by default all that
                is made on the spot.
            score: by name (`cnnlab list scores`); by default chosen by blends of accepted images.
            share: of the accepted images, how many stay accepted at least, 0.01 … 1.
            count: accepted images, and outsiders of each group, at most.
            train_count: training images that statistics come from, at most.
            keep_it: whether the rule is kept in the run, where `cnnlab predict --reject` finds it.

        Returns:
            The rule, and each score's AUROC and false-accept rate.

        Raises:
            RequestError: for outsiders that are none, and for a network without a head that is known.

        Example:
            >>> import cnnlab, torch
            >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 8), torch.nn.ReLU(),
            ...                             torch.nn.Linear(8, 2))
            >>> net = cnnlab.open(model, size=8, classes=["day", "night"], device="cpu")
            >>> images = torch.randint(256, (16, 3, 8, 8), dtype=torch.uint8)
            >>> found = net.reject((images, torch.arange(16) % 2), outside="textures", count=4)
            >>> found.facts.accepted, len(found.facts.of_chosen)
            (4, 1)
        """
        check_number("count", count, 4)
        check_number("train_count", train_count, 2)
        check_number("share", share, 0.01, 1.0)
        with self._asked(data) as network:
            options = RejectOptions(accept, listed(outside), score, count, train_count, share)
            found = last(reject(network, self._session, options))
            if keep_it:
                keep(found, kept_at(network, self._session))
            return Rejected(found)
