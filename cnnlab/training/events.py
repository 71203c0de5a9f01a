"""What a training tells whoever iterates over it, beside the steps and the epochs; and the wish to stop it."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from cnnlab.core.advance import Advance
from cnnlab.fit.fit import StepDone
from cnnlab.runs.record import Status
from cnnlab.training.overfitting import Diagnosis
from cnnlab.training.report import EpochRow


@dataclass(frozen=True)
class Started:
    """Before the first step."""

    run: str
    path: Path
    parameters: int
    train: int
    validation: int
    steps_per_epoch: int
    epochs: int
    device: str
    resumed_from: int
    """The epoch that training goes on after; 0 for a new run."""
    groups: tuple[str, ...]
    """A sentence for each parameter group."""
    skipped: tuple[str, ...]
    seconds_left: float | None = None
    """Of the time budget; None without one."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Which folder or file is which part; nothing where the data set is not the user's own."""
    chooses: bool = False
    """Whether a proxy chooses the images first; `ProxyDone` tells its end."""
    remarks: tuple[str, ...] = ()
    """What a person should know of the parts, their classes and the batches."""


@dataclass(frozen=True)
class ProxyDone:
    """After the proxy of `hardest` has chosen the images that the network learns from."""

    parameters: int
    """Of the proxy."""
    keep: float
    """The share of each batch that it chose."""
    seconds: float

    @property
    def sentence(self) -> str:
        """The same in words."""
        return (
            f"a proxy of {self.parameters:,} parameters has chosen the {100 * self.keep:g} % of each batch that are "
            f"learned from, in {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class Finished:
    """After the last step, the report written."""

    run: str
    path: Path
    status: Status
    epochs: int
    val_accuracy: float | None
    best_epoch: int
    train_seconds: float
    wall_seconds: float
    diagnosis: Diagnosis | None
    report: Path | None
    resume_command: str
    """What goes on with it."""
    proxy_seconds: float | None = None
    """Of the seconds of training those that the proxy of `hardest` took; None without one."""

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        document = {
            "run": str(self.path),
            "epochs": self.epochs,
            "val_accuracy": self.val_accuracy,
            "train_seconds": round(self.train_seconds, 3),
            "wall_seconds": round(self.wall_seconds, 3),
            "status": self.status,
            "best_epoch": self.best_epoch,
            "verdict": self.diagnosis.verdict if self.diagnosis else None,
            "report": str(self.report) if self.report else None,
        }
        return document if self.proxy_seconds is None else document | {"proxy_seconds": round(self.proxy_seconds, 3)}


TrainingEvent = Started | Advance | ProxyDone | StepDone | EpochRow | Finished


class StopWish:
    """`signal` is the number of the signal that came, or 0."""

    def __init__(self) -> None:
        self.signal = 0

    def __bool__(self) -> bool:
        return self.signal != 0

    @property
    def exit_code(self) -> int:
        """What shells expect of a program that a signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.signal


@contextmanager
def stop_wish() -> Iterator[StopWish]:
    """While inside, the first Ctrl-C or SIGTERM is noted; a second Ctrl-C interrupts at once, as usual."""
    wish = StopWish()

    def note(number: int, frame: FrameType | None) -> None:
        if wish and number == signal.SIGINT:
            raise KeyboardInterrupt
        wish.signal = number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
