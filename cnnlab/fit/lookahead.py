"""Lookahead: slow weights that follow the fast ones, which begin again from them every few steps."""

from collections.abc import Mapping
from copy import deepcopy

from torch import nn

from cnnlab.fit.averages import average_into


class Lookahead:
    """Slow weights beside those that the optimizer moves; `model` is a copy that holds them.

    Every `every` steps: slow ← d·slow + (1 − d)·fast, then fast ← slow, with d = decay^every·t^power and t the share
    of the training that is done, so that they are bound more and more closely. Statistics of batch normalisation take
    part, the optimizer's momentum does not. At the end of the training the slow weights stand in the network; they are
    what is validated and kept all the way, too. Sources: Zhang et al. 2019, arXiv:1907.08610; the rising d is that of
    Jordan 2024, arXiv:2404.00498 (airbench), which validates the fast weights until the end.
    """

    def __init__(
        self, model: nn.Module, *, every: int, decay: float, power: float, twin: nn.Module | None = None
    ) -> None:
        """Begin with the weights of `model`.

        Arguments:
            model: to be trained.
            every: steps from one meeting of the two to the next.
            decay, power: see above.
            twin: a copy of the model, of one that cannot be copied.
        """
        self.every = every
        self.decay = decay
        self.power = power
        self.updates = 0
        self.model = (deepcopy(model) if twin is None else twin).eval()
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)

    def meets(self, step: int) -> bool:
        """Whether the two meet after so many steps."""
        return step % self.every == 0

    def update(self, model: nn.Module, done: float) -> None:
        """Let the two meet.

        Arguments:
            model: the network, after its optimizer step.
            done: the share of the training behind it, 0 … 1.
        """
        self.updates += 1
        average_into(self.model, model, self.decay**self.every * done**self.power)
        average_into(model, self.model, 0.0)

    def end(self, model: nn.Module) -> None:
        """Put the slow weights into the network; where they have never met, its own are both."""
        if self.updates:
            average_into(model, self.model, 0.0)
        else:
            average_into(self.model, model, 0.0)

    def state_dict(self) -> dict[str, object]:
        """Everything that a resumed run needs."""
        return {"updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """The inverse of `state_dict`."""
        self.updates = int(state["updates"])  # type: ignore[call-overload]
        self.model.load_state_dict(state["model"])  # type: ignore[arg-type]
