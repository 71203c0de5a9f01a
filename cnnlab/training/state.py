"""Everything that changes while a network is trained, in one place that can be saved and restored."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnlab.core.errors import RequestError
from cnnlab.core.problems import first_fault
from cnnlab.training.ema import Ema

FORMAT = 1


@dataclass
class Progress:
    """How far a run has come. `epoch` counts whole epochs; `batch` the batches done of the next one."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    epoch: int = 0
    batch: int = 0
    step: int = 0
    """Optimizer steps."""
    seconds: float = 0.0
    """Spent in training steps, over all sittings; set-up and validation excluded."""
    elapsed: float = 0.0
    """The same with validation: what a time budget is held against."""
    best_metric: float | None = None
    best_epoch: int = 0
    stale_epochs: int = 0
    """Epochs since the best: what patience is held against."""


PROGRESS = TypeAdapter(Progress)


@dataclass
class Sums:
    """Sums over the batches of the epoch under way, on the training device so that no step waits for a number."""

    loss: Tensor
    correct: Tensor
    images: int = 0
    mixed: bool = False
    """Targets were mixed (mixup, cutmix), so an accuracy has no meaning."""
    seconds: float = 0.0
    """Spent in the training steps of this epoch, over all sittings."""

    @staticmethod
    def zero(device: torch.device) -> "Sums":
        """At the start of an epoch."""
        return Sums(torch.zeros((), device=device), torch.zeros((), device=device))


@dataclass
class TrainingState:
    """Model, optimizer, averages, progress and random numbers: to the bit what the next step depends on."""

    model: nn.Module
    optimizer: Optimizer
    device: torch.device
    ema: Ema | None = None
    scaler: torch.amp.GradScaler | None = None
    progress: Progress = field(default_factory=Progress)
    sums: Sums = field(init=False)

    def __post_init__(self) -> None:
        self.sums = Sums.zero(self.device)

    @property
    def evaluated_model(self) -> nn.Module:
        """What is validated and kept: the averages where there are some, otherwise the model."""
        return self.ema.model if self.ema else self.model

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain Python values only, so that loading can never run code."""
        return {
            "format": FORMAT,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "progress": asdict(self.progress),
            "sums": asdict(self.sums),
            "random": {
                "cpu": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises: RequestError when the state is of another model or another kind of file.
        """
        missing = sorted({"format", "model", "optimizer", "ema", "scaler", "progress", "sums", "random"} - set(state))
        if missing:
            raise RequestError(f"not a checkpoint of cnnlab: it lacks {', '.join(missing)}")
        if state["format"] != FORMAT:
            raise RequestError(f"a checkpoint of format {state['format']}; this version reads format {FORMAT}")
        for part, own in (("ema", self.ema), ("scaler", self.scaler)):
            if bool(state[part]) != bool(own):
                has, has_not = ("the config", "the checkpoint") if own else ("the checkpoint", "the config")
                raise RequestError(f"a checkpoint of another config: {has} has {part}, {has_not} has none")
        try:
            self._restore(state)
        except ValidationError as error:
            raise RequestError(f"a damaged checkpoint: its progress: {first_fault(error)}") from error
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).strip().split("\n", 1)[0]
            raise RequestError(f"a checkpoint that does not fit this config, or a damaged one: {reason}") from error

    def _restore(self, state: Mapping[str, Any]) -> None:
        load_weights(self.model, state["model"])
        self._check_optimizer(state["optimizer"])
        self.optimizer.load_state_dict(state["optimizer"])
        for parameter, kept in self.optimizer.state.items():
            if any(isinstance(t, Tensor) and t.dim() and t.shape != parameter.shape for t in kept.values()):
                raise ValueError("the optimizer's state has the shapes of another model")
        if self.ema:
            self.ema.load_state_dict(state["ema"])
        if self.scaler:
            self.scaler.load_state_dict(state["scaler"])
        self.progress = PROGRESS.validate_python(state["progress"])
        self.sums = Sums(**state["sums"])
        self.sums.loss = self.sums.loss.to(self.device)
        self.sums.correct = self.sums.correct.to(self.device)
        torch.set_rng_state(state["random"]["cpu"].cpu())
        if self.device.type == "cuda" and state["random"]["cuda"]:
            torch.cuda.set_rng_state_all([s.cpu() for s in state["random"]["cuda"]])

    def _check_optimizer(self, saved: Mapping[str, Any]) -> None:
        """torch takes the state of another kind of optimizer without a word, and fails at the next step."""
        own = {name for group in self.optimizer.param_groups for name in group}
        foreign = sorted({name for group in saved["param_groups"] for name in group} - own)
        if foreign:
            kind = type(self.optimizer).__name__
            raise RequestError(f"a checkpoint of another optimizer: {kind} has no {', '.join(foreign)}")


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy `weights` into `model`.

    Raises: RequestError when names or shapes differ, with the first of each kind.
    """
    own = model.state_dict()
    missing, foreign = sorted(set(own) - set(weights)), sorted(set(weights) - set(own))
    other = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    if not (missing or foreign or other):
        model.load_state_dict(dict(weights))
        return
    details = []
    if missing:
        details.append(f"{len(missing)} weights are missing (first {missing[0]})")
    if foreign:
        details.append(f"{len(foreign)} are unknown to this model (first {foreign[0]})")
    if other:
        name = other[0]
        shapes = f"{list(weights[name].shape)} for {list(own[name].shape)}"
        details.append(f"{len(other)} have another shape (first {name}: {shapes})")
    raise RequestError(f"a checkpoint of another model: {'; '.join(details)}")
