"""Where the time of a training step goes: the very loop that trains, watched from outside.

A mark is set where a phase ends: at the network's call, at the loss, when the last gradient is there, around the
optimizer. What lies between two marks is the phase that ends, so that the phases of a step add up to it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import register_multi_grad_hook
from torch.autograd.profiler import record_function

from cnnlab.network.speed import now
from cnnlab.training.setup import TrainingSetup

INPUT, FORWARD, LOSS, BACKWARD, OPTIMIZER, AVERAGES, REST = (
    "input",
    "forward",
    "loss",
    "backward",
    "optimizer",
    "averages",
    "bookkeeping",
)

PHASES = {
    INPUT: "images picked, augmented, normalised, brought to the device",
    FORWARD: "the network, in training mode",
    LOSS: "from logits and targets to one number",
    BACKWARD: "the gradients",
    OPTIMIZER: "the step of the weights",
    AVERAGES: "averages of the weights (ema, lookahead), the mean over steps with and without",
    REST: "sums for the curves, the gradient's norm, clipping, the search for NaN, the schedule",
}
"""The phases in the order of a step, and what each does."""


class Clock:
    """The seconds of each phase of the step under way."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.begin()

    def begin(self) -> None:
        """A step begins."""
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self.called = False
        self.last = now(self.device)

    def end(self, phase: str) -> None:
        """What was done since the last mark was `phase`."""
        at = now(self.device)
        self.seconds[phase] += at - self.last
        self.last = at

    def around(self, phase: str, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Do `work`, which is the phase; what was before it is bookkeeping."""
        self.end(REST)
        with record_function(phase):
            result = work(*given, **named)
        self.end(phase)
        return result


class WatchedNetwork(nn.Module):
    """A network that tells when it is called: all before its first call in a step is input."""

    def __init__(self, inner: nn.Module, clock: Clock) -> None:
        super().__init__()
        self.inner, self.clock = inner, clock

    def forward(self, images: Tensor) -> Any:
        """What the network puts out."""
        if not self.clock.called:
            self.clock.end(INPUT)
            self.clock.called = True
        return self.clock.around(FORWARD, self.inner, images)


@dataclass(frozen=True)
class Watched:
    """A set-up whose steps are timed phase by phase."""

    setup: TrainingSetup
    clock: Clock


def watched_setup(setup: TrainingSetup) -> Watched:
    """The set-up with marks in it, for `fit`.

    Arguments:
        setup: a fresh one, which is used up by it.
    """
    clock, state = Clock(setup.state.device), setup.state
    register_multi_grad_hook(
        [p for group in state.optimizer.param_groups for p in group["params"] if p.requires_grad],
        lambda gradients: clock.end(BACKWARD),
        mode="all",
    )
    state.optimizer.register_step_pre_hook(lambda *_: clock.end(REST))
    state.optimizer.register_step_post_hook(lambda *_: clock.end(OPTIMIZER))
    for averages in (state.ema, state.lookahead):
        if averages is not None:
            vars(averages)["update"] = partial(clock.around, AVERAGES, averages.update)
    loss = partial(clock.around, LOSS, setup.loss)
    return Watched(replace(setup, forward=WatchedNetwork(setup.forward, clock), loss=loss), clock)
