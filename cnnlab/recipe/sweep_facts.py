"""What a sweep found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SweptTrial:
    """One trial."""

    number: int
    run: str
    state: str
    """`complete`, `pruned`, `running`, `waiting` or `fail`."""
    accuracy: float | None
    """Of its best epoch on the validation part, 0 … 1; of a pruned one of the epochs that it had."""
    epochs: int
    values: Mapping[str, Any]
    """By key."""


@dataclass(frozen=True)
class Axis:
    """A key of the space."""

    key: str
    text: str
    is_log: bool
    choices: tuple[str, ...] = ()
    """None for a number."""


@dataclass(frozen=True)
class Sweep:
    """A study as it stands."""

    name: str
    config: str
    axes: tuple[Axis, ...]
    trials: tuple[SweptTrial, ...]
    importances: Mapping[str, float]
    """Shares of the variance of the accuracy, by key, that sum to 1; nothing where too few trials are complete."""
    method: str
    """How they were found."""
    best_config: str | None = None
    """The file with the best trial's config."""

    @property
    def best(self) -> SweptTrial | None:
        """The complete trial with the highest accuracy, the first of equals."""
        complete = [one for one in self.trials if one.state == "complete" and one.accuracy is not None]
        return max(complete, key=lambda one: (one.accuracy or 0.0, -one.number), default=None)

    def count(self, state: str) -> int:
        """Trials in that state."""
        return sum(one.state == state for one in self.trials)

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "title": f"Sweep {self.name}",
            "study": self.name,
            "config": self.config,
            "space": {one.key: one.text for one in self.axes},
            "best": None if self.best is None else vars(self.best),
            "best_config": self.best_config,
            "importances": dict(self.importances),
            "importances_by": self.method,
            "trials": [vars(one) for one in self.trials],
        }
