"""Everything that changes while a network is trained, in one place that can be saved and restored."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnlab.core.errors import RequestError, first_line
from cnnlab.fit.averages import average_into
from cnnlab.fit.distributed.ranks import ALONE, Ranks
from cnnlab.fit.freezing import Freezing
from cnnlab.fit.lookahead import Lookahead
from cnnlab.fit.progress import Progress
from cnnlab.fit.saved_state import EpochPlan, check_saved, check_weights
from cnnlab.fit.terms import AS_ALL, Terms

FORMAT = 1

LATER: Mapping[str, Any] = {"lookahead": None}
"""Parts of a state that older checkpoints of the same format lack: what they stand for there."""


class Ema:
    """Averages of all parameters and buffers; `model` is a copy that holds them.

    After update t the decay is min(decay, (1 + t)/(10 + t)), so that the first weights, which are random, are soon
    forgotten (Tan & Le 2019's implementation). Statistics of batch normalisation are averaged like weights; counters
    are copied. `twin` is a copy of the model that may be had for it, of one that cannot be copied.
    """

    def __init__(self, model: nn.Module, *, decay: float, every: int = 1, twin: nn.Module | None = None) -> None:
        self.decay = decay
        self.every = every
        self.steps = 0
        self.updates = 0
        self.model = (deepcopy(model) if twin is None else twin).eval()
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)

    def update(self, model: nn.Module) -> None:
        """Take in the weights after one optimizer step; every `every` steps only."""
        self.steps += 1
        if self.steps % self.every:
            return
        self.updates += 1
        average_into(self.model, model, min(self.decay, (1 + self.updates) / (10 + self.updates)))

    def state_dict(self) -> dict[str, object]:
        """Everything that a resumed run needs."""
        return {"steps": self.steps, "updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """The inverse of `state_dict`."""
        self.steps, self.updates = int(state["steps"]), int(state["updates"])  # type: ignore[call-overload]
        self.model.load_state_dict(state["model"])  # type: ignore[arg-type]


@dataclass
class Sums:
    """Sums over the batches of the epoch under way, on the training device so that no step waits for a number."""

    loss: Tensor
    correct: Tensor
    images: int = 0
    mixed: bool = False
    """Targets were mixed (mixup, cutmix), so an accuracy has no meaning."""
    seconds: float = 0.0
    """Spent in the training steps of this epoch, before and after every stop."""

    @staticmethod
    def zero(device: torch.device) -> "Sums":
        """The sums at the start of an epoch."""
        return Sums(torch.zeros((), device=device), torch.zeros((), device=device))

    def add(self, step: "Sums") -> None:
        """Add what a step has counted; its time is told by the clock."""
        self.loss += step.loss
        self.correct += step.correct
        self.images += step.images
        self.mixed |= step.mixed


@dataclass
class TrainingState:
    """Model, optimizer, averages, progress and random numbers: to the bit what the next step depends on."""

    model: nn.Module
    optimizer: Optimizer
    device: torch.device
    ema: Ema | None = None
    lookahead: Lookahead | None = None
    scaler: torch.amp.GradScaler | None = None
    freezing: Freezing | None = None
    """What is frozen, epoch by epoch."""
    ranks: Ranks = ALONE
    """The processes that train the model together, each on its share of every batch."""
    synchronized_norm: bool = False
    """Whether batch normalisation takes its statistics over all of them."""
    terms: Terms = AS_ALL
    """Of groups that do not learn as long as the others, or along the same curve."""
    progress: Progress = field(default_factory=Progress)
    sums: Sums = field(init=False)
    others_random: tuple[dict[str, Any], ...] = ()
    """The random numbers of the other processes, as they were last told: what a checkpoint needs."""

    def __post_init__(self) -> None:
        self.sums = Sums.zero(self.device)

    def begin_epoch(self) -> None:
        """Put the model into training mode, what is frozen in the epoch under way excepted."""
        self.model.train()
        if self.freezing is not None:
            self.freezing.begin(self.progress.epoch + 1)

    @property
    def evaluated_model(self) -> nn.Module:
        """What is validated and kept: the averages where there are some, the slow weights, or the model."""
        if self.ema:
            return self.ema.model
        return self.lookahead.model if self.lookahead and self.lookahead.updates else self.model

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain Python values only, so that loading can never run code."""
        return {
            "format": FORMAT,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
            "lookahead": self.lookahead.state_dict() if self.lookahead else None,
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "progress": asdict(self.progress),
            "sums": asdict(self.sums),
            "random": self._random() | ({} if self.ranks.alone else {"ranks": list(self.others_random)}),
        }

    def _random(self) -> dict[str, Any]:
        """The random numbers of this process; of several each has a GPU of its own."""
        if self.device.type != "cuda":
            kept = []
        else:
            kept = torch.cuda.get_rng_state_all() if self.ranks.alone else [torch.cuda.get_rng_state(self.device)]
        return {"cpu": torch.get_rng_state(), "cuda": kept}

    def tell_random(self) -> None:
        """Let the first process know the random numbers of the others, before a checkpoint."""
        if not self.ranks.alone:
            self.others_random = tuple(self.ranks.gathered(self._random())[1:])

    def load_state_dict(self, state: Mapping[str, Any], plan: EpochPlan | None = None) -> None:
        """The inverse of `state_dict`; `plan`: of the run's epochs, where it is known.

        Raises: RequestError, with nothing changed yet, when the state is of another model or another kind of file.
        """
        state = {**LATER, **state}
        missing = sorted({"format", "model", "optimizer", "ema", "scaler", "progress", "sums", "random"} - set(state))
        if missing:
            raise RequestError(f"not a checkpoint of cnnlab: it lacks {', '.join(missing)}")
        if type(state["format"]) is not int or state["format"] != FORMAT:
            found = state["format"] if isinstance(state["format"], int | str) else "another kind"
            raise RequestError(f"a checkpoint of format {found}; this version reads format {FORMAT}")
        check_saved(state, self.state_dict(), self.model, self.optimizer, self.device, plan)
        try:
            self._restore(state)
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            message = f"a checkpoint that does not fit this config, or a damaged one: {first_line(error)}"
            raise RequestError(message) from error

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        saved = state["optimizer"]
        groups = [
            {**own, "lr": float(group["lr"])}  # the config's options, which the saved ones agree with
            for own, group in zip(self.optimizer.state_dict()["param_groups"], saved["param_groups"], strict=True)
        ]
        self.optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})
        if self.ema:
            self.ema.load_state_dict(state["ema"])
        if self.lookahead:
            self.lookahead.load_state_dict(state["lookahead"])
        if self.scaler:
            self.scaler.load_state_dict(state["scaler"])
        self.progress = Progress(**state["progress"])
        self.sums = Sums(**state["sums"])
        self.sums.loss = self.sums.loss.to(self.device)
        self.sums.correct = self.sums.correct.to(self.device)
        self._restore_random([state["random"], *state["random"].get("ranks", [])])

    def _restore_random(self, kept: Sequence[Mapping[str, Any]]) -> None:
        """Take up the random numbers of the process of the same rank; one that was not there keeps its own."""
        if self.ranks.rank >= len(kept):
            return
        own = kept[self.ranks.rank]
        torch.set_rng_state(own["cpu"].cpu())
        if self.device.type == "cuda":
            first = 0 if self.ranks.alone else self.device.index
            for number, one in enumerate(own["cuda"][: torch.cuda.device_count() - first], first):
                torch.cuda.set_rng_state(one.cpu(), number)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy `weights` into `model`.

    Raises: RequestError when names, shapes or types differ, with the first of each kind.
    """
    check_weights(weights, model.state_dict())
    model.load_state_dict(dict(weights))
