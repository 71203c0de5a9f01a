"""What all the work of one call shares: where runs and data lie, on which device, and how much at a time."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.core.advance import Track, untracked
from cnnlab.fit.distributed.ranks import ALONE, Ranks

if TYPE_CHECKING:
    import torch

    from cnnlab.data.dataset import DataPlace
    from cnnlab.runs.folder import Run


@dataclass(frozen=True, kw_only=True)
class Session:
    """Made once for a call and handed on as one thing.

    Example:
        >>> session = Session(device_name="cpu", seed=1)
        >>> session.device
        device(type='cpu')
    """

    runs: Path = Path("runs")
    """The folder that holds the runs."""
    named: Path | None = None
    """The folder in which runs are looked up by name, where new ones are written elsewhere; `runs` by default."""
    device_name: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    data: Path | None = None
    """Where a run's images lie now, if they have moved."""
    allow_plugins: bool = False
    """Whether the Python files that a config names may be run."""
    max_batch: int = 64
    """Images that pass through a network at a time, at most."""
    seed: int = 0
    """Of the choice of images, and of methods that draw."""
    as_json: bool = False
    """Results as one JSON document, not in words."""
    track: Track = untracked
    """How long reading is followed."""
    ranks: Ranks = ALONE
    """The processes that do the work together."""

    @cached_property
    def device(self) -> "torch.device":
        """The device that `device_name` means here.

        Raises: RequestError where it is not there, with those that are.
        """
        from cnnlab.fit.device import choose_device

        return self.ranks.device(choose_device(self.device_name))

    @property
    def by_itself(self) -> "Session":
        """The same for this process alone, on the device that is its own."""
        return self if self.ranks.alone else replace(self, ranks=ALONE, device_name=str(self.device))

    @cached_property
    def place(self) -> "DataPlace":
        """Where data sets lie on this machine, and where a run's own data has moved to."""
        from cnnlab.data.dataset import DataPlace

        return DataPlace.default(track=self.track, moved=self.data)

    def writing_to(self, folder: Path) -> "Session":
        """The same, with new runs in `folder`, an experiment's; those that are named are found where they were."""
        return replace(self, runs=folder, named=self.named or self.runs)

    def run(self, text: str | Path) -> "Run":
        """The run of that name, or in that folder.

        Raises: RequestError where there is none, with the nearest name.
        """
        from cnnlab.runs.folder import Run

        return Run.open(text, self.named or self.runs)

    def folder(self, name: str, run: "Run | None" = None, *, out: Path | None = None, without_run: str = "") -> Path:
        """Where a command writes: `out`, else with the reports of the run, else among the runs.

        without_run: the name where there is no run, `name` by itself.
        """
        if out is not None:
            return out
        return self.runs / (without_run or name) if run is None else run.path / "reports" / name
