"""Creating a run and adding to it while it trains."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.files import (
    append_line,
    refuse_links,
    remove_file,
    remove_folder,
    remove_parts,
    write_whole,
)
from cnnlab.fit.checkpoints import save_state, save_weights
from cnnlab.fit.hardest import Choices
from cnnlab.runs.folder import CORRECTIONS, NETWORK, Run, can_start_over
from cnnlab.runs.lock import LOCK, is_held
from cnnlab.runs.record import RunRecord

FOLDERS = ("checkpoints", "reports", "tensorboard")
"""What a training writes into, below the run's own folder."""


class RunWriter:
    """The one writer of a run's folder."""

    def __init__(self, path: Path, record: RunRecord) -> None:
        self.path = path
        self.record = record

    @staticmethod
    def create(
        path: Path,
        record: RunRecord,
        config_yaml: str,
        plugins: Sequence[Path] = (),
        network: Mapping[str, bytes] | None = None,
        corrections: bytes | None = None,
    ) -> "RunWriter":
        """Make the folder with its config and record; what a run left there that never came to a checkpoint goes.

        When that fails, nothing is left under the name.

        Arguments:
            path: the run's folder.
            record: of the run.
            config_yaml: its config.
            plugins: files of which it keeps copies.
            network: the user's own Python that makes the network: the content of each file by its name.
            corrections: the content of the table of labels put right.

        Raises: RequestError when there is a run already or none can be made, and for two plugins of one name.
        """
        if len({plugin.name for plugin in plugins}) < len(plugins):
            names = ", ".join(str(plugin) for plugin in plugins)
            raise RequestError(f"a run keeps copies of its plugins, so no two may have one name: {names}")
        copies = {f"plugins/{plugin.name}": plugin.read_bytes() for plugin in plugins}  # they may lie in what goes
        copies |= {f"{NETWORK}/{name}": content for name, content in (network or {}).items()}
        copies |= {} if corrections is None else {CORRECTIONS: corrections}
        try:
            path.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise RequestError(taken(path)) from None
        except OSError as error:
            raise RequestError(f"the run {path} cannot be made: {error.strerror}") from None
        if not can_start_over(path):
            raise RequestError(taken(path))
        try:
            _clear(path)
            write_whole(path / "config.yaml", config_yaml)  # first: it tells a beginning from a person's own folder
            for name, content in copies.items():
                write_whole(path / name, content)
            record.write(path / "run.json")
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)  # the first error is the one to tell
            raise
        return RunWriter(path, record)

    @staticmethod
    def resume(run: Run, *, step: int, epoch: int, config_yaml: str) -> "RunWriter":
        """Go on with a run: points after `step`, and all that is of epochs after `epoch`, will be made again.

        A checkpoint may lie between the last step of an epoch and its end, so the step alone does not tell.
        """
        for name in FOLDERS:  # before the first file is touched
            refuse_links(run.path / name)
        kept = [
            point
            for point in run.metrics()
            if point.get("step", 0) <= step and not (point.get("kind") == "epoch" and point.get("epoch", 0) > epoch)
        ]
        remove_parts(run.path)
        write_whole(run.path / "metrics.jsonl", "".join(json.dumps(point) + "\n" for point in kept))
        write_whole(run.path / "config.yaml", config_yaml)
        for kept_epoch, path in run.snapshots().items():
            if kept_epoch > epoch:
                remove_file(path)
        return RunWriter(run.path, run.record)

    @property
    def reports(self) -> Path:
        """The folder of figures, tables and pages."""
        return self.path / "reports"

    @property
    def events(self) -> Path:
        """The folder of TensorBoard's events."""
        return self.path / "tensorboard"

    def add(self, point: Mapping[str, Any]) -> None:
        """Append one point to `metrics.jsonl`."""
        append_line(self.path / "metrics.jsonl", json.dumps(dict(point)))

    def save_state(self, state: Mapping[str, Any]) -> None:
        """The checkpoint to resume from."""
        save_state(self.path / "checkpoints" / "last.pt", state)

    def save_choices(self, choices: Choices) -> None:
        """The images that the proxy of `hardest` has chosen."""
        save_state(Run(self.path).choices, choices.state_dict())

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


def taken(path: Path) -> str:
    """The sentence for a name that a run has, or something else."""
    if path.is_dir() and not os.path.lexists(path / "run.json"):
        return f"{path} has something in it already and is no run; choose another `name`, or move that away"
    return f"the run {path} exists; choose another `name`, or `resume` it"


def _clear(folder: Path) -> None:
    """Remove all in it but the lock, which its holder needs."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            remove_folder(path)
        elif path.name != LOCK:
            remove_file(path)


def free_name(root: Path, name: str) -> str:
    """`name`, or `name-2`, `name-3`, … where that is taken under `root`; the rest of a killed training is not."""
    number, candidate = 1, name
    while os.path.lexists(folder := root / candidate) and (
        not can_start_over(folder, diverged=False) or is_held(folder)
    ):
        number += 1
        candidate = f"{name}-{number}"
    return candidate
