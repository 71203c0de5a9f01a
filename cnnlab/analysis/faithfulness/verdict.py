"""Whether a map beats the controls: the paired bootstrap of insertion − deletion, and the sentence that says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from cnnlab.analysis.confidence import MeanInterval
from cnnlab.analysis.faithfulness.bootstrap import bootstrap_mean, paired_difference
from cnnlab.core.seeds import derive_seed

Outcome = Literal["better than chance", "not better than chance", "worse than chance", "too few pictures"]

FEWEST = 6
"""Pictures below which nothing is decided: of 5, all may lie on one side by chance more often than 1 in 20 (2/2⁵)."""


@dataclass(frozen=True)
class Verdict:
    """A method against the best control, that is the one with the highest mean over the same pictures."""

    name: str
    level: str
    """What was removed at a time, such as "pixels"."""
    outcome: Outcome
    gain: MeanInterval
    """Insertion − deletion of the method …"""
    control: str
    control_gain: MeanInterval
    """… and of the best control."""
    difference: MeanInterval
    """Between the two, picture by picture: the outcome is where its interval lies."""

    @property
    def sentence(self) -> str:
        """The outcome with its figures, in one line."""
        between = self.difference.interval
        spread = f" [{between.low:+.3f}, {between.high:+.3f}]" if between else ""
        said = f"{self.outcome} can tell" if self.outcome == "too few pictures" else self.outcome
        return (
            f"{self.name}, {self.level}: {said}: insertion − deletion {self.gain.mean:+.3f}, best control "
            f"({self.control}) {self.control_gain.mean:+.3f}, difference {self.difference.mean:+.3f}{spread} over "
            f"{self.difference.n} picture{'' if self.difference.n == 1 else 's'}"
        )


def verdict(
    name: str,
    gain: Float[Tensor, "n"],
    controls: Mapping[str, Float[Tensor, "n"]],
    *,
    level: str,
    seed: int,
) -> Verdict:
    """Judge a method by the `gain` (insertion − deletion) of each picture and that of each control.

    "better than chance" where the 95 % interval of the difference lies above 0, "worse than chance" below, "not better
    than chance" where it holds 0. With fewer than `FEWEST` pictures, "too few pictures". That the best control is
    picked on the same pictures favours the control.

    Raises: ValueError without controls, or as `bootstrap_mean`.
    """
    if not controls:
        raise ValueError("no controls to compare with")
    best = max(controls, key=lambda control: float(controls[control].double().mean()))
    seed = derive_seed(seed, "bootstrap")
    difference = paired_difference(gain, controls[best], seed=seed)
    return Verdict(
        name,
        level,
        _outcome(difference),
        bootstrap_mean(gain, seed=seed),
        best,
        bootstrap_mean(controls[best], seed=seed),
        difference,
    )


def _outcome(difference: MeanInterval) -> Outcome:
    if difference.n < FEWEST or difference.interval is None:
        return "too few pictures"
    if difference.interval.low > 0:
        return "better than chance"
    return "worse than chance" if difference.interval.high < 0 else "not better than chance"
