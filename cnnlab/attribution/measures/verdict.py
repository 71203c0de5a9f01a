"""Whether a map beats chance and the controls: paired bootstraps of insertion − deletion, and the sentence on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from cnnlab.core.seeds import derive_seed
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean, paired_difference
from cnnlab.view.blocks import interval_text, shown

FORM = "+.3f"
"""How a difference of areas is written."""

Outcome = Literal[
    "better than every control", "better than chance", "not better than chance", "worse than chance", "too few images"
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""The best first."""

CHANCE = "random"
"""The control that is chance: random values."""

FEWEST = 6
"""Images below which nothing is decided: of 5, all may lie on one side by chance more often than 1 in 20 (2/2⁵)."""


@dataclass(frozen=True)
class Verdict:
    """A method against chance, and against the best control: the one with the highest mean over the same images."""

    name: str
    level: str
    """What was removed at a time, such as "pixels"."""
    outcome: Outcome
    gain: MeanInterval
    """Insertion − deletion of the method …"""
    chance_gain: MeanInterval
    """Mean gain of random maps."""
    control: str
    control_gain: MeanInterval
    """Mean gain of the best control."""
    beyond_chance: MeanInterval
    """The method's less that of random maps, image by image."""
    beyond_control: MeanInterval
    """The method's less that of the best control, image by image."""

    @property
    def sentence(self) -> str:
        """The outcome with its figures, in one line."""
        said = f"{self.outcome} can tell" if self.outcome == "too few images" else self.outcome
        others = [(CHANCE, self.chance_gain, self.beyond_chance)]
        if self.control != CHANCE:
            others.append((self.control, self.control_gain, self.beyond_control))
        beside = ", ".join(
            f"{name} {shown(gain.mean, FORM)} (difference {interval_text(beyond, FORM)})"
            for name, gain, beyond in others
        )
        n = self.beyond_chance.n
        return (
            f"{self.name}, {self.level}: {said}: insertion − deletion {shown(self.gain.mean, FORM)}, {beside} over {n} "
            f"image{'' if n == 1 else 's'}"
        )


def verdict(
    name: str,
    gain: Float[Tensor, "n"],
    controls: Mapping[str, Float[Tensor, "n"]],
    *,
    level: str,
    seed: int,
) -> Verdict:
    """Judge a method by the `gain` (insertion − deletion) of each image and that of each control.

    "better than chance" where the 95 % interval of the difference to random maps lies above 0, "worse than chance"
    below, "not better than chance" where it holds 0. "better than every control" where the interval of the difference
    to the best control is above 0, too: a map that merely beats random values may know no more than that objects are
    in the middle. With fewer than `FEWEST` images, "too few images". That the best control is picked on the same
    images favours the control.

    Raises: ValueError without the control of random maps, or as `bootstrap_mean`.
    """
    if CHANCE not in controls:
        raise ValueError(f"no control '{CHANCE}' to compare with")
    best = max(controls, key=lambda control: float(controls[control].double().mean()))
    seed = derive_seed(seed, "bootstrap")
    beyond_chance = paired_difference(gain, controls[CHANCE], seed=seed)
    beyond_control = paired_difference(gain, controls[best], seed=seed)
    return Verdict(
        name,
        level,
        _outcome(beyond_chance, beyond_control),
        bootstrap_mean(gain, seed=seed),
        bootstrap_mean(controls[CHANCE], seed=seed),
        best,
        bootstrap_mean(controls[best], seed=seed),
        beyond_chance,
        beyond_control,
    )


def _outcome(beyond_chance: MeanInterval, beyond_control: MeanInterval) -> Outcome:
    chance, control = beyond_chance.interval, beyond_control.interval
    if beyond_chance.n < FEWEST or chance is None or control is None:
        return "too few images"
    if chance.low > 0:
        return "better than every control" if control.low > 0 else "better than chance"
    return "worse than chance" if chance.high < 0 else "not better than chance"
