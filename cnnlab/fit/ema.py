"""An exponential moving average of the weights, which is often better than the weights themselves."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn


class Ema:
    """Averages of all parameters and buffers; `model` is a copy that holds them.

    After update t the decay is min(decay, (1 + t)/(10 + t)), so that the first weights, which are random, are soon
    forgotten (Tan & Le 2019's implementation). Statistics of batch normalisation are averaged like weights; counters
    are copied.
    """

    def __init__(self, model: nn.Module, *, decay: float, every: int = 1) -> None:
        self.decay = decay
        self.every = every
        self.steps = 0
        self.updates = 0
        self.model = deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after one optimizer step; every `every` steps only."""
        self.steps += 1
        if self.steps % self.every:
            return
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        floats: tuple[list[Tensor], list[Tensor]] = ([], [])
        for mine, its in zip(self._tensors(self.model), self._tensors(model), strict=True):
            if mine.is_floating_point():
                floats[0].append(mine)
                floats[1].append(its)
            else:
                mine.copy_(its)
        torch._foreach_lerp_(floats[0], floats[1], 1 - decay)

    @staticmethod
    def _tensors(model: nn.Module) -> list[Tensor]:
        return [*model.parameters(), *model.buffers()]

    def state_dict(self) -> dict[str, object]:
        """Everything that a resumed run needs."""
        return {"steps": self.steps, "updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """The inverse of `state_dict`."""
        self.steps, self.updates = int(state["steps"]), int(state["updates"])  # type: ignore[call-overload]
        self.model.load_state_dict(state["model"])  # type: ignore[arg-type]
