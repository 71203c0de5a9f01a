"""Runs that exist: opening one writes nothing.

runs/NAME/
  config.yaml      the resolved config             run.json       what was run and how it ended
  metrics.jsonl    a line per point of the curves  tensorboard/   the same as events
  checkpoints/     last.pt (everything), last.safetensors and best.safetensors (weights to evaluate),
                   epoch-007.safetensors and the like (weights of single epochs, where the config asks for them),
                   hardest.pt (the images that a proxy chose, where the config has one)
  reports/         figures, tables and pages      plugins/       copies of the plugins that were used
  network/         a copy of the user's own Python that makes the network
  corrections.csv  a copy of the table of labels put right, where the config names one
  rejection.safetensors    the threshold under which an image is none of the classes, with its score's statistics
  test-evaluations.jsonl   a line for each time that the test part was opened
  exports.jsonl    a line for each file in reports/export, and how it was compared
  training.lock    while it is trained: by which process
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from cnnlab.config.config import Config, check_config, is_resolved
from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.core.files import PART
from cnnlab.core.reading import open_file, read_file, refusals_told
from cnnlab.core.yaml import load
from cnnlab.fit.checkpoints import load_weights_file
from cnnlab.runs.lock import LOCK, is_abandoned
from cnnlab.runs.record import RunRecord

WhichWeights = Literal["best", "last"]

OUTPUTS = (
    *("ablation", "audit", "bench", "compare", "cost", "eval", "export", "fuse", "gradcam", "init", "kernel"),
    *("label-errors", "landscape", "leaks", "lr-find", "preview", "probe", "receptive-field", "reject", "report"),
    *("report-card", "saliency", "sanity", "sweep", "visualize"),
)
"""Folders beside the runs in which commands put their figures by default."""

NETWORK = "network"
"""The folder with a copy of the user's own Python that makes the network."""

CORRECTIONS = "corrections.csv"
"""The copy of the table of labels that were put right."""

BEFORE_THE_RECORD = {"config.yaml", "plugins", NETWORK, CORRECTIONS, LOCK}
"""All that a run writes before its run.json."""

MOST_BYTES_OF_A_CONFIG = 1_000_000

OF_A_BEGINNING = BEFORE_THE_RECORD | {"run.json", "metrics.jsonl", "tensorboard", "checkpoints"}
"""All that a run writes before its first checkpoint."""

UNFINISHED = ("running", "interrupted", "failed", "diverged")
"""A run that has ended in one of these states may have come to no checkpoint."""

EXPORTS = "exports.jsonl"
"""A line for each file or folder that the network left as below the run's reports."""

TEST_EVALUATIONS = "test-evaluations.jsonl"
"""A line for each time that the test part was opened."""


@dataclass(frozen=True)
class Run:
    """A run's folder, read only."""

    path: Path

    @staticmethod
    def open(name: str | Path, root: Path) -> "Run":
        """The run of that name under `root`, or the run in that folder.

        Raises: RequestError when there is none (with the nearest name), or when it is not a run.
        """
        if not (named := str(name)):
            raise RequestError("'' names no run; `cnnlab runs` lists them")
        folders = [path for path in (root / named, Path(named)) if path.is_dir()]
        if not folders:
            known = sorted(p.name for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
            hint = did_you_mean(named, known) or (
                " `cnnlab runs` lists them." if known else " There is none yet; `cnnlab train` makes one."
            )
            raise RequestError(f"no run '{named}' under {root}.{hint}")
        run = Run(next((path for path in folders if (path / "run.json").exists()), folders[0]))
        _ = run.record  # a folder without a readable record is no run
        return run

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @cached_property
    def record(self) -> RunRecord:
        """`run.json`."""
        return RunRecord.read(self.path / "run.json")

    def config(self, *, allow_plugins: bool = False) -> Config:
        """`config.yaml`, checked.

        Raises: RequestError, ConfigError when it is missing or does not fit this version.
        """
        path = self.path / "config.yaml"
        if not path.exists():
            raise RequestError(f"{path}: is missing, and without it the run's network cannot be built")
        tree = load(path)
        config = check_config(tree, [], default_name=self.name, base=self.path, allow_plugins=allow_plugins)
        place, written = config.written_paths.get("path"), self.record.data.written
        if place and not Path(place).expanduser().exists() and Path(written.get("path", place)).exists():
            # the working folder has moved with all that is in it
            return config.with_data({**config.data.dataset.options, **written})
        return config

    @property
    def status(self) -> str:
        """How the run stands, as its record says; `killed` where its process died before it could say so.

        Example:
            >>> from cnnlab.runs.folder import Run
            >>> Run("runs/cifar").status  # doctest: +SKIP
            'finished'
        """
        recorded = self.record.outcome.status
        return "killed" if recorded == "running" and is_abandoned(self.path) else recorded

    def weights(self, which: WhichWeights = "best") -> tuple[dict[str, Tensor], Mapping[str, Any]]:
        """Weights to evaluate, and the facts stored with them (epoch, val_accuracy).

        Raises: RequestError when the run has none yet, or the file is damaged.
        """
        path = self.path / "checkpoints" / f"{which}.safetensors"
        if not path.exists():
            raise RequestError(f"the run {self.name} ({self.status}) has no {which} weights yet: {path} is missing")
        return load_weights_file(path)

    def snapshots(self) -> dict[int, Path]:
        """The weights that were kept of single epochs, by epoch, in order; none unless the config asks for them."""
        found = {}
        for path in (self.path / "checkpoints").glob("epoch-*.safetensors"):
            number = path.stem.removeprefix("epoch-")
            if number.isdecimal():
                found[int(number)] = path
        return dict(sorted(found.items()))

    @property
    def last_state(self) -> Path:
        """The checkpoint that training resumes from."""
        return self.path / "checkpoints" / "last.pt"

    @property
    def choices(self) -> Path:
        """The images that the proxy of `hardest` has chosen."""
        return self.path / "checkpoints" / "hardest.pt"

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`; a last line that was cut off is left out.

        Raises: RequestError for another line that is damaged.
        """
        path = self.path / "metrics.jsonl"
        points = _json_lines(path)
        for number, point in enumerate(points, 1):
            for name in ("step", "epoch"):
                if not isinstance(point.get(name, 0), int):
                    raise RequestError(f"{path}:{number}: damaged: expected a whole number as '{name}'")
        return points

    def test_accuracy(self) -> float | None:
        """Accuracy of the latest evaluation on the test part, 0 … 1; None where there was none."""
        path = self.path / TEST_EVALUATIONS
        evaluations = _json_lines(path)
        if not evaluations:
            return None
        accuracy = evaluations[-1].get("accuracy")
        if not isinstance(accuracy, int | float) or not 0 <= accuracy <= 1:
            raise RequestError(f"{path}:{len(evaluations)}: damaged: expected an 'accuracy' from 0 to 1")
        return float(accuracy)

    def exports(self) -> list[dict[str, Any]]:
        """What it left as, the latest last: the facts of each file, and how it was compared with the network."""
        return _json_lines(self.path / EXPORTS)

    def epochs(self) -> list[dict[str, Any]]:
        """The points of `metrics.jsonl` that close an epoch."""
        return [point for point in self.metrics() if point.get("kind") == "epoch"]


def _json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file with one a line; a last line that was cut off is left out."""
    with refusals_told(path):
        if not path.exists():
            return []
        with open_file(path) as file:
            lines = file.read().splitlines()
    points = []
    for number, line in enumerate(lines, 1):
        try:
            point = json.loads(line)
        except (ValueError, RecursionError):
            point = None
        if isinstance(point, dict):
            points.append(point)
        elif number < len(lines):
            raise RequestError(f"{path}:{number}: damaged: expected a JSON object")
    return points


def can_start_over(folder: Path, *, diverged: bool = True) -> bool:
    """Whether nothing is lost when a new training takes the folder: no checkpoint, and only what a run begins with.

    A training that was killed, that failed or that was stopped before its first checkpoint leaves such a folder. One
    without a record may as well be a person's own, which is known by its config.
    diverged: whether that goes for a training that diverged before it, too: its curves say why.
    """
    if folder.is_symlink() or not folder.is_dir():
        return False
    inside = {path.name for path in folder.iterdir() if not (path.name.startswith(".") and PART in path.name)}
    if inside - OF_A_BEGINNING:
        return False
    if "run.json" not in inside:  # killed before there was one
        config = folder / "config.yaml"
        return inside <= {LOCK} or (inside <= BEFORE_THE_RECORD and _is_written_by_a_run(config))
    checkpoints = folder / "checkpoints"
    if checkpoints.is_symlink() or os.path.lexists(checkpoints / "last.pt"):
        return False
    try:
        outcome = RunRecord.read(folder / "run.json").outcome
    except RequestError:  # another program's
        return False
    # the first epoch's weights are written just before its checkpoint; from a later one somebody took it away
    began = outcome.epochs <= 1 and outcome.status in UNFINISHED
    return began and (diverged or outcome.status != "diverged")


def _is_written_by_a_run(config: Path) -> bool:
    try:
        return is_resolved(read_file(config, at_most=MOST_BYTES_OF_A_CONFIG).decode("utf-8"))
    except (OSError, UnicodeDecodeError):
        return False


def all_runs(root: Path) -> tuple[list[Run], list[str]]:
    """Every run under `root`, oldest first, and a sentence for each folder that is not a readable run.

    Raises: RequestError where `root` is no folder.
    """
    if root.exists() and not root.is_dir():
        raise RequestError(f"{root}: is no folder, and runs lie in one")
    runs, others = [], []
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        if not path.is_dir() or path.name.startswith("."):
            continue
        if path.name in OUTPUTS and not (path / "run.json").exists():
            continue
        try:
            run = Run(path)
            _ = run.record
            runs.append(run)
        except RequestError as error:
            others.append(str(error))
    return sorted(runs, key=lambda run: run.record.started), others
