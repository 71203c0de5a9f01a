"""The normalisation lab: what norms do to a network and to its training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from cnnlab.api.given import GivenData
from cnnlab.api.question import Open, Questions, last, listed
from cnnlab.api.result import Result
from cnnlab.api.values import check_choice, check_number, path_or_none
from cnnlab.probe.norm.lab import NormOptions
from cnnlab.probe.norm.ranges import FACTORS
from cnnlab.probe.norm.run import NormFacts, measured, norm_json, norm_report, planned
from cnnlab.stats.claim import Claim
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Norms(Result):
    """What normalisation does in a network, part by part."""

    document_name: ClassVar[str] = "facts.json"

    facts: NormFacts

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is said of normalisation, and whether it holds here."""
        return self.facts.claims

    @property
    def recommendation(self) -> str:
        """Which norm to take for batches of the network's size."""
        return self.facts.recommendation.sentence

    def __getitem__(self, part: str) -> Any:
        return self.facts[part]

    @cached_property
    def report(self) -> Report:
        """The recommendation, each part, and the claims."""
        return norm_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Every number of every part."""
        return norm_json(self.facts)


class Normalisation(Questions):
    """What can be asked of a network's norms."""

    def norms(
        self,
        data: GivenData | None = None,
        *,
        parts: str | Sequence[str] = (),
        train: bool = False,
        split: Open | None = None,
        count: int = 128,
        epochs: int | None = None,
        steps: int | None = None,
        batch_sizes: Sequence[int] = (2, 4, 8, 32),
        groups: int = 32,
        factors: Sequence[float] = FACTORS,
        threshold: float = 0.7,
        keep: str | Path | None = None,
    ) -> Norms:
        """Tell what normalisation does: formulas, statistics, modes; and training with norms and without.

        Arguments:
            data: as of `evaluate`.
            parts: `formulas`, `state`, `modes`, `statistics`, `running`, `folding`, `conversion`, and those that train
                a run or a config: `fine-tuning`, `training`, `landscape`, `ranges`, `batch-size`; by default those
                that take seconds.
            train: whether all parts that train are done, too.
            split: `train` or `validation`; by default what was held out.
            count: images that are looked at, at most.
            epochs: of each training; by default the config's.
            steps: of each short training and of the fine-tuning; by default 60.
            batch_sizes: at which batch norm is trained beside group norm.
            groups: of group norms, at most.
            factors: by which the weights at the start, and the learning rate, are multiplied in `ranges`.
            threshold: the accuracy whose first epoch is told, 0 … 1.
            keep: a folder for the trainings, in which a later call finds what is trained already; needed for them.

        Returns:
            The facts of each part by its name, and what they say of what is claimed.

        Raises:
            RequestError: for a network without norms, and a part that cannot be asked of it.
            WorkError: where a training fails.

        Example:
            >>> import cnnlab, torch
            >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
            ...                             torch.nn.Flatten(), torch.nn.Linear(144, 2))
            >>> found = cnnlab.open(model, size=8, classes=["day", "night"], device="cpu").norms()
            >>> found["formulas"].kinds.worst < 1e-5
            True
        """
        check_choice("split", split, (None, "train", "validation"))
        check_number("threshold", threshold, 0.0, 1.0)
        options = NormOptions(
            tuple(listed(parts)),
            train,
            split,
            count,
            epochs,
            steps,
            tuple(batch_sizes),
            groups,
            tuple(map(float, factors)),
            threshold,
        )
        with self._asked(data) as network:
            place = path_or_none("keep", keep)
            return Norms(last(measured(planned(network, self._session, options, folder=place))))
