"""What the parts of a training's recipe are said to bring, each judged by the variants with and without it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cnnlab.config.config import Config
from cnnlab.config.norms import norms_of
from cnnlab.fit.optimizers.rates import largest_decay
from cnnlab.models.own_model import OwnModel
from cnnlab.recipe.facts import Ablation, Repeat, VariantFacts, epochs_saved, paired
from cnnlab.stats.claim import Claim, claim_above
from cnnlab.stats.confidence import MeanInterval

SEVERAL = 0.02
"""What "several points" are at least."""


@dataclass(frozen=True)
class Ingredient:
    """A part of a recipe that a config has or has not."""

    name: str
    source: str
    """The section of the chapter that says what it brings."""
    amount: Callable[[Config], float]
    """How much of it a config has; 0 for none."""
    several: bool = False
    """Whether it is said to be worth several points."""
    narrows: bool = False
    """Whether it is said to narrow the gap between training and validation."""
    faster: bool = False
    """Whether it is said to need fewer epochs."""


def decay_of_rate(config: Config) -> float:
    """The share of its learning rate that a training loses from its highest to its end."""
    schedule = config.schedule.build(epochs=config.training.epochs)
    highest = max(schedule(place / 100) for place in range(101))
    return 1 - schedule(1.0) / highest if highest > 0 else 0.0


INGREDIENTS = (
    Ingredient("augmentation", "19.5", lambda config: len(config.data.augment), several=True, narrows=True),
    Ingredient(
        "weight decay",
        "19.5",
        lambda config: largest_decay(config.optimizer),
        several=True,
        narrows=True,
    ),
    Ingredient("a learning rate that decays", "19.5", decay_of_rate, several=True),
    Ingredient("label smoothing", "19.5", lambda config: config.loss.options.get("label_smoothing") or 0.0),
    Ingredient(
        "an average of the weights",
        "19.5",
        lambda config: float(config.ema is not None or config.lookahead is not None),
    ),
    Ingredient(
        "normalisation",
        "19.4",
        lambda config: 0.0 if isinstance(config.model, OwnModel) else len(norms_of(config)),
        faster=True,
    ),
)


def claims_of(facts: Ablation, configs: Mapping[str, Config]) -> tuple[Claim, ...]:
    """The claims on each ingredient that a variant adds to the baseline or takes from it.

    Arguments:
        facts: of the variants.
        configs: of each variant, by its label.

    Returns:
        The claims, in the order of the variants; of a change that is no such ingredient, none.
    """
    found: list[Claim] = []
    base, ours = configs[facts.baseline], facts.variant(facts.baseline)
    for variant in facts.variants:
        other = configs[variant.label]
        lost = [one for one in INGREDIENTS if one.amount(base) > 0 and not one.amount(other) > 0]
        won = [one for one in INGREDIENTS if one.amount(other) > 0 and not one.amount(base) > 0]
        if len(lost) + len(won) == 1:
            with_it, without = (ours, variant) if lost else (variant, ours)
            found += _of((lost + won)[0], with_it, without, facts)
        elif len(lost) > 1 and not won:
            found.append(_recipe(lost, ours, variant, facts))
    return tuple(found)


def _of(one: Ingredient, with_it: VariantFacts, without: VariantFacts, facts: Ablation) -> list[Claim]:
    pair = f"{with_it.label} less {without.label}"
    subject = one.name[0].upper() + one.name[1:]
    enough = facts.learned(with_it, without)
    gain = _weighed(paired(with_it, without, _accuracy), enough)
    accuracy = f"validation accuracy, {pair}, {_seeds(gain)}"
    found = [claim_above(f"{subject} raises validation accuracy", one.source, accuracy, gain, form="+.2%")]
    if one.several:
        sentence = f"{subject} is worth several points, {SEVERAL:.0%} at least".replace("%", "\N{NO-BREAK SPACE}%")
        found.append(claim_above(sentence, one.source, accuracy, gain, than=SEVERAL, form="+.2%"))
    if one.narrows:
        narrowed = _weighed(paired(without, with_it, lambda repeat: repeat.gap), enough)
        measured = f"gap from clean training to validation accuracy, {without.label} less {with_it.label}"
        sentence = f"{subject} narrows the gap between training and validation"
        found.append(claim_above(sentence, one.source, measured, narrowed, form="+.2%"))
    if one.faster:
        saved = epochs_saved(without, with_it)
        level = f"{facts.threshold:.0%}".replace("%", "\N{NO-BREAK SPACE}%")
        measured = f"epochs to {level}, {without.label} less {with_it.label}, {_seeds(saved)}"
        sentence = f"With {one.name} {level} validation accuracy takes fewer epochs"
        found.append(claim_above(sentence, one.source, measured, saved, form="+.1f"))
    return found


def _recipe(lost: list[Ingredient], ours: VariantFacts, variant: VariantFacts, facts: Ablation) -> Claim:
    gain = _weighed(paired(ours, variant, _accuracy), facts.learned(ours, variant))
    names = ", ".join(one.name for one in lost)
    measured = f"validation accuracy, {ours.label} less {variant.label} (without {names}), {_seeds(gain)}"
    return claim_above(
        "The recipe counts: the same network without it loses many points, 5\N{NO-BREAK SPACE}% at least",
        "19.5",
        measured,
        gain,
        than=0.05,
        form="+.2%",
    )


def _weighed(mean: MeanInterval | None, enough: bool) -> MeanInterval | None:
    """The mean; without its interval, so that it tells nothing, where neither network has learned enough."""
    return mean if mean is None or enough else replace(mean, interval=None)


def _accuracy(repeat: Repeat) -> float | None:
    return repeat.accuracy


def _seeds(mean: MeanInterval | None) -> str:
    count = 0 if mean is None else mean.n
    return f"{count} seed{'' if count == 1 else 's'}"
