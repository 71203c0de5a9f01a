"""Creating a run, and adding to it while it trains."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.files import remove_parts, write_whole
from cnnlab.runs.folder import Run
from cnnlab.runs.record import RunRecord
from cnnlab.training.checkpoints import save_state, save_weights


class RunWriter:
    """The one writer of a run's folder."""

    def __init__(self, path: Path, record: RunRecord) -> None:
        self.path = path
        self.record = record

    @staticmethod
    def create(path: Path, record: RunRecord, config_yaml: str, plugins: Sequence[Path] = ()) -> "RunWriter":
        """Make the folder with its config and record.

        Raises: RequestError when it exists already or cannot be made, and for two plugins of one name.
        """
        if len({plugin.name for plugin in plugins}) < len(plugins):
            names = ", ".join(str(plugin) for plugin in plugins)
            raise RequestError(f"a run keeps copies of its plugins, so no two may have one name: {names}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise RequestError(f"the run {path} exists; choose another --name, or --resume it") from None
        except OSError as error:
            raise RequestError(f"the run {path} cannot be made: {error.strerror}") from None
        for plugin in plugins:
            (path / "plugins").mkdir(exist_ok=True)
            shutil.copyfile(plugin, path / "plugins" / plugin.name)
        write_whole(path / "config.yaml", config_yaml)
        record.write(path / "run.json")
        return RunWriter(path, record)

    @staticmethod
    def resume(run: Run, *, step: int, epoch: int, config_yaml: str) -> "RunWriter":
        """Go on with a run: points after `step`, and all that is of epochs after `epoch`, will be made again.

        A checkpoint may lie between the last step of an epoch and its end, so the step alone does not tell.
        """
        remove_parts(run.path)
        kept = [
            point
            for point in run.metrics()
            if point.get("step", 0) <= step and not (point.get("kind") == "epoch" and point.get("epoch", 0) > epoch)
        ]
        write_whole(run.path / "metrics.jsonl", "".join(json.dumps(point) + "\n" for point in kept))
        write_whole(run.path / "config.yaml", config_yaml)
        for kept_epoch, path in run.snapshots().items():
            if kept_epoch > epoch:
                path.unlink()
        return RunWriter(run.path, run.record)

    @property
    def reports(self) -> Path:
        """Where pictures, tables and pages go."""
        return self.path / "reports"

    @property
    def events(self) -> Path:
        """Where TensorBoard's events go."""
        return self.path / "tensorboard"

    def add(self, point: Mapping[str, Any]) -> None:
        """Append one point to `metrics.jsonl`."""
        append_line(self.path / "metrics.jsonl", json.dumps(dict(point)))

    def save_state(self, state: Mapping[str, Any]) -> None:
        """The checkpoint to resume from."""
        save_state(self.path / "checkpoints" / "last.pt", state)

    def save_weights(self, which: str, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Weights to evaluate: `best`, `last`, or of an epoch."""
        save_weights(self.path / "checkpoints" / f"{which}.safetensors", weights, facts)

    def save_snapshot(self, epoch: int, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """The weights of one epoch, kept beside `best` and `last`."""
        self.save_weights(f"epoch-{epoch:03}", weights, facts)

    def outcome(self, **changes: Any) -> None:
        """Change the record's outcome, in the file too."""
        self.record = self.record.ended(**changes)
        self.record.write(self.path / "run.json")


def append_line(path: Path, line: str) -> None:
    """Add a line to a file, on the disk before this returns."""
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def free_name(root: Path, name: str) -> str:
    """`name`, or `name-2`, `name-3`, … where that is taken under `root`."""
    number, candidate = 1, name
    while (root / candidate).exists():
        number += 1
        candidate = f"{name}-{number}"
    return candidate
