"""How far a training has come."""

from dataclasses import dataclass


@dataclass
class Progress:
    """How far a run has come. `epoch` counts whole epochs; `batch` the batches done of the next one."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    """Optimizer steps."""
    seconds: float = 0.0
    """Spent in training steps, before and after every stop; set-up and validation excluded."""
    elapsed: float = 0.0
    """Seconds with validation: what a time budget is held against."""
    best_metric: float | None = None
    best_epoch: int = 0
    stale_epochs: int = 0
    """Epochs since the best: what patience is held against."""
