"""`run.json`: what was run, on what, and how it ended."""

import json
import platform
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, TypeAdapter, ValidationError

from cnnlab import __version__
from cnnlab.core.characters import json_escaped, some
from cnnlab.core.errors import RequestError
from cnnlab.core.files import write_whole
from cnnlab.core.problems import first_fault
from cnnlab.core.quantities import PositiveNumber
from cnnlab.core.reading import read_file
from cnnlab.fit.device import Arithmetic, arithmetic

FORMAT = 1
MOST_BYTES = 64_000_000
"""Largest size of a run.json; one with a sentence for each of 300,000 images that were left out has as many."""
MOST_VALUES = 2**26
"""Values of an image: those of 8192 × 8192 pixels of one channel."""

Seed = Annotated[int, Field(ge=0, strict=True)]
Count = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Finite = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Status = Literal["running", "finished", "interrupted", "paused", "stopped-early", "out-of-time", "diverged", "failed"]


@dataclass(frozen=True)
class DataFacts:
    """What the network was trained on; enough to preprocess a new image as in training."""

    name: str
    classes: Annotated[tuple[str, ...], Field(min_length=1)]
    shape: tuple[Count, ...]
    """(channels, height, width) of an image, in pixels."""
    mean: tuple[Finite, ...]
    std: tuple[Amount, ...]
    train: Count
    validation: Count
    skipped: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    """The folder or file of each part, where it is the user's own; no `validation` where that is cut from `train`."""
    written: Mapping[str, str] = field(default_factory=dict)
    """The paths as they stood in the config that was trained from, by their options."""

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"an image's shape is {self.shape}, expected channels, height and width")
        if prod(self.shape) > MOST_VALUES:
            raise ValueError(f"an image's shape is {self.shape}; an image has {MOST_VALUES:,} values at most")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("a class is there twice")
        if not len(self.mean) == len(self.std) == self.shape[0]:
            raise ValueError(f"{len(self.mean)} means and {len(self.std)} deviations for {self.shape[0]} channels")


@dataclass(frozen=True)
class InheritedFacts:
    """What a network took over before its training."""

    origin: str
    """Whose weights they were, in words."""
    taken: Count
    """Tensors that began with its values."""
    tensors: Count
    """Those of the network that could have."""
    head: tuple[str, ...] = ()
    """Tensors that began at random all the same."""
    by_structure: bool = False
    """Whether the origin's tensors have other names, and were paired in the order of a forward pass."""

    @property
    def sentence(self) -> str:
        """What was taken, and what was not.

        Example:
            >>> InheritedFacts("the run cifar", 12, 14, ("linear1.weight", "linear1.bias")).sentence
            'with the run cifar: 12 of 14 tensors; at random began linear1.weight, linear1.bias'
        """
        paired = ", paired in the order of a forward pass" if self.by_structure else ""
        head = f"; at random began {some(self.head, 4)}" if self.head else ""
        return f"with {self.origin}: {self.taken:,} of {self.tensors:,} tensors{paired}{head}"


@dataclass(frozen=True)
class Outcome:
    """How the run stands; accuracies in 0..1, times in seconds."""

    status: Status = "running"
    epochs: Count = 0
    step: Count = 0
    val_accuracy: Share | None = None
    """Accuracy of the best epoch on the validation part."""
    best_epoch: Count = 0
    train_seconds: Amount = 0.0
    wall_seconds: Amount = 0.0
    diagnosis: str | None = None
    message: str | None = None
    """The error that ended the run, if one did."""


@dataclass(frozen=True)
class RunRecord:
    """The content of `run.json`."""

    name: str
    command: str
    started: str
    seed: Seed
    device: str
    parameters: Count
    data: DataFacts
    commit: str | None
    versions: Mapping[str, str]
    arithmetic: tuple[Arithmetic, ...] = ()
    """How its numbers were computed: at first, and after each resumption that changed it."""
    time_budget: PositiveNumber | None = None
    """Seconds, of the last session."""
    trainable: Count | None = None
    """Parameters that learned in the first epoch; None of a run that did not keep it."""
    trainable_ever: Count | None = None
    """Parameters that learn in some epoch."""
    inherited: InheritedFacts | None = None
    """What it began with, where that was not random."""
    shown_at: str = ""
    """The sizes of the images over the training, in words; '' where they were always their own."""
    outcome: Outcome = field(default_factory=Outcome)
    format: int = FORMAT

    @property
    def learned(self) -> str:
        """How many of the parameters learned, in words that follow their number; '' where all did, or nobody knows.

        Example: `70 of them learned, 300 more from a later epoch on`.
        """
        first, ever = self.trainable, self.trainable_ever
        if first is None or ever is None or first == self.parameters:
            return ""
        later = f", {ever - first:,} more from a later epoch on" if ever > first else ""
        return f"{first:,} of them learned{later}"

    def ended(self, **changes: Any) -> "RunRecord":
        """Return the record with some facts of its outcome changed."""
        return replace(self, outcome=replace(self.outcome, **changes))

    def write(self, path: Path) -> None:
        """Write it as JSON, whole."""
        write_whole(path, json_escaped(json.dumps(asdict(self), indent=2, ensure_ascii=False)) + "\n")

    @staticmethod
    def read(path: Path) -> "RunRecord":
        """Read `run.json`.

        Raises: RequestError when it is missing, damaged, or of a later version of cnnlab.
        """
        try:
            content = json.loads(read_file(path, at_most=MOST_BYTES).decode("utf-8"))
        except FileNotFoundError:
            raise RequestError(f"{path.parent}: not a run of cnnlab: it has no run.json") from None
        except OSError as error:
            raise RequestError(f"{path}: cannot be read: {error.strerror}") from None
        except json.JSONDecodeError as error:
            raise RequestError(f"{path}:{error.lineno}:{error.colno}: damaged: not JSON: {error.msg}") from None
        except UnicodeDecodeError as error:
            raise RequestError(f"{path}: damaged: not UTF-8 text (byte {error.start})") from None
        except RecursionError:
            raise RequestError(f"{path}: damaged: not JSON: nested too deeply") from None
        except ValueError as error:  # a number of thousands of digits
            raise RequestError(f"{path}: damaged: {error}") from None
        if not isinstance(content, dict) or type(content.get("format")) is not int:
            raise RequestError(f"{path}: not a run of cnnlab: it names no format")
        if content["format"] != FORMAT:
            raise RequestError(f"{path}: of format {content['format']}; this version reads format {FORMAT}")
        try:
            return RECORD.validate_python(content)
        except ValidationError as error:
            raise RequestError(f"{path}: damaged: {first_fault(error)}") from None


RECORD = TypeAdapter(RunRecord)


def new_record(
    *,
    name: str,
    command: Sequence[str],
    seed: int,
    device: str,
    parameters: int,
    data: DataFacts,
    time_budget: float | None = None,
    processes: int = 1,
) -> RunRecord:
    """A record of now: time, commit and versions are looked up; `processes` train together."""
    versions = {package: version(package) for package in ("torch", "torchvision")}
    versions |= {"cnnlab": __version__, "python": platform.python_version(), "platform": platform.platform()}
    return RunRecord(
        name=name,
        command=shlex.join(command),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        device=device,
        parameters=parameters,
        data=data,
        commit=_git_commit(),
        versions=versions,
        arithmetic=(arithmetic(torch.device(device), processes),),
        time_budget=time_budget,
    )


def _git_commit() -> str | None:
    """The commit of the working folder, with `+` where it has uncommitted changes; None outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    head = subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return None
    status = subprocess.run([git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False)
    return head.stdout.strip() + ("+" if status.stdout.strip() else "")
