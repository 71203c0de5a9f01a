"""Until when groups of parameters learn, and along which curve, where that is not as the others do."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch.optim import Optimizer

from cnnlab.fit.parameter_groups import LearningParameters
from cnnlab.fit.schedules import ROUNDING, Schedule


@dataclass(frozen=True)
class Term:
    """What holds for one group."""

    until: float | None = None
    """Epochs after which its parameters learn no more; None for never."""
    schedule: Schedule | None = None
    """Of its learning rate, over those epochs or the whole training; None for that of the training."""
    name: str = ""
    """Of the schedule."""

    def __str__(self) -> str:
        """What a list of the groups says of it."""
        until = [] if self.until is None else [f"until epoch {self.until:g}"]
        return ", ".join([*until, *([self.name] if self.schedule else [])])


@dataclass(frozen=True)
class Terms:
    """The terms of an optimizer's groups, by the group's number; groups as all the others have none."""

    of_groups: Mapping[int, Term]

    def __bool__(self) -> bool:
        return bool(self.of_groups)

    def told(self, number: int) -> str:
        """What a list of the groups says of one of them."""
        return f", {self.of_groups[number]}" if number in self.of_groups else ""

    def hold(self, optimizer: Optimizer, *, epoch: float, done: float) -> None:
        """Set the rates of groups with a schedule of their own, and let those learn no more whose time is over.

        What learns no more loses `requires_grad`: there is no gradient and no step, and where nothing before it learns
        either, no backward pass through its layer. Called before each step, so that a resumed training has the same.

        Arguments:
            optimizer: whose groups the training's schedule has set.
            epoch: of the step, 0 at the first.
            done: the share of the training, by steps or by the clock.
        """
        for number, term in self.of_groups.items():
            group = optimizer.param_groups[number]
            if term.schedule is not None:
                share = done if term.until is None else min(1.0, epoch / term.until)
                group["lr"] = group["lr_base"] * term.schedule(share)
            if term.until is not None and epoch >= term.until - ROUNDING:
                for parameter in group["params"]:
                    parameter.requires_grad_(False)


AS_ALL = Terms({})
"""Every group learns as the training says."""


def terms_of(optimizer: Optimizer, parameters: LearningParameters, *, epochs: int) -> Terms:
    """The terms that the rules of `parameters` have for the groups of `optimizer`, which was made from them.

    Arguments:
        optimizer: each group of which is of one rule.
        parameters: with the rules.
        epochs: of the whole training.

    Raises:
        RequestError: for a schedule that does not fit into its epochs.
    """
    found = {}
    for number, group in enumerate(optimizer.param_groups):
        rule = parameters.rule(group["names"][0])
        if rule.schedule is not None:
            own = rule.schedule.build(epochs=epochs if rule.until is None else rule.until)
            found[number] = Term(rule.until, own, rule.schedule.name)
        elif rule.until is not None:
            found[number] = Term(rule.until)
    return Terms(found)
