"""Likely label errors from Python: `cnnlab.label_errors`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from cnnlab.api.asked_config import AskedConfig, Overrides, config_of, overrides_of
from cnnlab.api.result import Result, plain
from cnnlab.api.untouched import untouched
from cnnlab.api.values import path_of, path_or_none
from cnnlab.evaluation.label_errors.facts import Candidate, LabelErrorFacts
from cnnlab.evaluation.label_errors.report import label_errors_report
from cnnlab.evaluation.label_errors.run import (
    CANDIDATES,
    LabelErrorOptions,
    find_label_errors,
    prepared,
    write_beside,
)
from cnnlab.network.session import Session
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class LabelErrorsResult(Result):
    """The labels of a training part that are likely wrong."""

    facts: LabelErrorFacts
    folder: Path
    """With the trainings, the table of candidates and the probabilities."""

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """The labels in question, the likeliest error first: `index`, `given`, `likely`, `margin` and more."""
        return tuple(self.facts.candidates())

    @property
    def table(self) -> Path:
        """The CSV with a column for what is decided of each, for `data.corrections` of a config."""
        return self.folder / CANDIDATES

    @property
    def probabilities(self) -> "Float[Tensor, 'n k']":
        """Of each training and validation image, by a network that has not learned from it."""
        return self.facts.probabilities

    @cached_property
    def report(self) -> Report:
        """Numbers, the first candidates, the contact sheet, thresholds, the joint, the folds."""
        return label_errors_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """What `cnnlab data label-errors --json` prints."""
        return plain(self.facts.as_json())

    def _write_beside(self, folder: Path) -> list[Path]:
        write_beside(self.facts, folder)
        return []


def label_errors(
    config: AskedConfig = None,
    *,
    overrides: Overrides = (),
    folds: int = 4,
    epochs: int | None = None,
    rank: str = "self_confidence",
    jobs: int = 1,
    probabilities: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    runs: str | Path = "runs",
    allow_plugins: bool = False,
) -> LabelErrorsResult:
    """Find labels of the training and validation images that are likely wrong, by confident learning.

    A network is trained for each fold on the others, and asked about the images that it was not shown. What is trained
    already is taken from the folder; Ctrl-C ends the training with its step, and raises KeyboardInterrupt: the same
    call goes on there. The test part is not opened.

    Arguments:
        config: a file, a mapping with what stands in one, a `Config`, or None for the built-in quickstart.
        overrides: changes to the config itself: `{"optimizer.lr": 0.05}`, or `["optimizer.lr=0.05"]`.
        folds: networks, from 2.
        epochs: of each training, in place of the config's.
        rank: `self_confidence` or `normalized_margin`, what the candidates are ordered by.
        jobs: trainings at a time, each in a process.
        probabilities: a file of probabilities of all images (`.safetensors` of an earlier search, or `.npy`), in place
            of trainings.
        out: the folder of the search; `runs/label-errors/NAME` by default.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        runs: the folder that holds the runs.
        allow_plugins: whether Python files that the config names may be run.

    Returns:
        The candidates, and what they rest on; a table of them is in the folder.

    Raises:
        RequestError: before anything is trained: for fewer than 2 folds, a class with fewer images than folds, one
            class only, probabilities of other images, and a folder with trainings of another config.
        WorkError: where a training fails.

    Example:
        >>> import cnnlab, tempfile
        >>> small = {"data.dataset": {"shapes": {"train_count": 128, "size": 16}}, "training.batch_size": 64,
        ...          "model": [{"conv": {"channels": 4}}, "relu", "global_avg_pool", "linear"]}
        >>> found = cnnlab.label_errors(overrides=small, folds=2, epochs=1, runs=tempfile.mkdtemp(), device="cpu")
        >>> found.probabilities.shape, found.table.name
        (torch.Size([128, 10]), 'label-errors.csv')
    """
    session = Session(runs=path_of("runs", runs), device_name=device, allow_plugins=allow_plugins)
    with untouched():
        chosen, config_folder = config_of(config, overrides_of(overrides), allow_plugins=allow_plugins)
        file = path_or_none("probabilities", probabilities)
        options = LabelErrorOptions(folds, epochs, rank, jobs, file)
        place = path_or_none("out", out)
        asked = prepared(chosen, options, session, out=place, config_folder=config_folder)
        (facts,) = [step for step in find_label_errors(asked, session) if isinstance(step, LabelErrorFacts)]
        write_beside(facts, asked.folder)
        return LabelErrorsResult(facts, asked.folder)
