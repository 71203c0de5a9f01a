"""What the measurements say of the sentences of section 19.4, and of the papers that it goes by."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from cnnlab.probe.norm.agreement import LIMIT
from cnnlab.probe.norm.batch_mates import Mates
from cnnlab.probe.norm.course import CourseFacts, LandscapeFacts
from cnnlab.probe.norm.facts import FoldingFacts, FormulasFacts, ModesFacts, RunningFacts, StatisticsFacts
from cnnlab.probe.norm.gradient_line import GradientLine
from cnnlab.probe.norm.ranges import RangeFacts, What
from cnnlab.probe.norm.small_batches import SmallBatchFacts
from cnnlab.probe.norm.trainings import WITH, WITHOUT
from cnnlab.stats.claim import Claim, Finding, claim_above, claim_below, claim_equal
from cnnlab.stats.confidence import MeanInterval, mean_interval, wilson_interval

SECTION = "19.4"

BEYOND_EPS = 1e-3
"""What rounding may add to a change that ε explains."""

SCATTERS = 0.01
"""A deviation of the output's variance that could be seen, where 1 is expected."""

CLEAR = 2
"""Factors by which ranges have to differ: one more may be chance."""


def of_nothing(facts: Any) -> tuple[Claim, ...]:
    """Say nothing: the part measures what no sentence claims."""
    return ()


def of_formulas(facts: FormulasFacts) -> tuple[Claim, ...]:
    """The exercise's limit, what is normalised, and which norms look at other images."""
    kinds = {one.kind: one for one in facts.kinds.kinds}
    others = max(one.influence for one in facts.kinds.kinds if one.kind != "batch norm")
    return (
        claim_equal(
            "One's own forward pass over N, H, W is the library's to less than 1e-5",
            f"{SECTION}, exercise 19.4.2",
            "largest difference of an output",
            kinds["batch norm"].forward,
            tolerance=LIMIT,
            form=".1e",
        ),
        claim_equal(
            "After batch norm each channel has mean 0 and variance 1",
            SECTION,
            "largest distance from 0 and 1",
            max(facts.kinds.output_mean, facts.kinds.output_variance),
            tolerance=LIMIT,
            form=".1e",
        ),
        claim_equal(
            "Only batch norm looks at other images",
            f"{SECTION}, figure 19.4.2",
            "change of one output by another image, the other norms",
            others,
            form=".1e",
        ),
        claim_equal(
            "In evaluation mode batch norm does not look at other images either",
            SECTION,
            "change of its output by another image",
            facts.kinds.evaluated_influence,
            form=".1e",
        ),
    )


def of_modes(facts: ModesFacts) -> tuple[Claim, ...]:
    """The light switch."""
    evaluated = next(one for one in facts.mates if one.mode == "evaluation")
    batches = [one for one in facts.mates if one.mode == "batch statistics"]
    found = [
        claim_equal(
            "In evaluation mode an image's answer does not depend on its batch-mates",
            SECTION,
            "answers that change",
            1 - evaluated.kept,
            form=".1%",
        )
    ]
    if batches:
        small = min(batches, key=lambda one: one.size)
        found.append(
            claim_above(
                "In training mode the same image gets different answers with different batch-mates",
                SECTION,
                f"answers that change, batches of {small.size}",
                _changed(small),
                form=".1%",
            )
        )
    return tuple(found)


def _changed(one: Mates) -> MeanInterval:
    changed = round((1 - one.kept) * one.images)
    return MeanInterval(changed / one.images, None, wilson_interval(changed, one.images), one.images)


def of_statistics(facts: StatisticsFacts) -> tuple[Claim, ...]:
    """What the chapter's exercise looks for, and where it is."""
    independent, *layers = facts.layers
    smallest = min(independent.sizes, key=lambda one: one.size)
    found = [
        _larger(
            "With small batches the variance of the output scatters",
            f"{SECTION}, Try This",
            f"deviation of the output's variance in batches of {smallest.size}",
            smallest.output_deviation,
            than=SCATTERS,
            form=".1e",
        )
    ]
    for one in layers[-1:]:
        ordered = sorted(one.sizes, key=lambda each: each.size)
        least, most = ordered[0], ordered[-1]
        found.append(
            _larger(
                "The statistics of small batches are noisy",
                SECTION,
                f"deviation of batch variances, {least.size} over {most.size} images",
                least.variance_deviation / most.variance_deviation,
                than=1.0,
            )
        )
    return tuple(found)


def _larger(sentence: str, source: str, measured: str, value: float, *, than: float, form: str = ".3g") -> Claim:
    """The claim that a number in which chance has no part that would matter is above `than`."""
    finding = Finding.SUPPORTED if value > than else Finding.CONTRADICTED
    return Claim(sentence, source, measured, finding, value, None, form)


def of_running(facts: RunningFacts) -> tuple[Claim, ...]:
    """The chapter's printed False, and where it comes from."""
    begun, true = facts.gaps[0], facts.gaps[-1]
    independent = facts.courses[0]
    worst = max(abs(step.way - step.way_expected) for step in independent.steps)
    return (
        _larger(
            "An image through both modes differs because the statistics of one image are not those of all",
            f"{SECTION}, first code",
            "share of the squared difference that true averages leave",
            true.difference**2 / begun.difference**2,
            than=0.5,
            form=".1%",
        ),
        claim_equal(
            "Running averages go 1 − (1 − momentum)^n of the way in n batches",
            "closed form",
            "largest distance from it",
            worst,
            tolerance=0.02,
        ),
    )


def of_folding(facts: FoldingFacts) -> tuple[Claim, ...]:
    """Exercise 19.4.1."""
    if not facts.layers:
        return ()
    beyond = max(change.output - change.by_eps for one in facts.layers for change in one.changes)
    found = [
        claim_equal(
            "The scale of a convolution's weights cancels in the batch norm after it",
            f"{SECTION}, exercise 19.4.1",
            "change beyond what ε explains",
            max(0.0, beyond),
            tolerance=BEYOND_EPS,
            form=".1e",
        )
    ]
    biases = [one.without_bias for one in facts.layers if one.without_bias is not None]
    if biases:
        found.append(
            claim_equal(
                "A bias before batch norm is redundant",
                f"{SECTION}, exercise 19.4.1",
                "largest change of the output without the bias",
                max(biases),
                tolerance=BEYOND_EPS,
                form=".1e",
            )
        )
    return tuple(found)


def of_training(facts: CourseFacts) -> tuple[Claim, ...]:
    """Drift, and how fast it learns."""
    ours, theirs = facts.courses
    common = [layer for layer in ours.drifts if layer in theirs.drifts]
    gaps = [ours.drifts[layer] - theirs.drifts[layer] for layer in common]
    found = [
        claim_below(
            "Norms keep the scale of activations where it is while a network trains",
            SECTION,
            "largest |log₂| of deviation over start, with less without, over layers",
            mean_interval(gaps) if len(gaps) > 1 else None,
            form="+.2f",
        )
    ]
    found.append(
        claim_above(
            "With norms a network is better after as many epochs",
            SECTION,
            f"accuracy after {facts.epochs} epochs, with less without, same images",
            facts.gain,
            form="+.1%",
        )
    )
    return tuple(found)


def of_landscape(facts: LandscapeFacts) -> tuple[Claim, ...]:
    """Santurkar et al.'s three, in direction alone, where both twins have learned something."""
    said: tuple[tuple[str, str, Callable[[GradientLine], float]], ...] = (
        ("The loss varies less along its gradient with norms", "range of the loss", lambda one: one.loss_range),
        ("The gradient changes less along itself with norms", "change of the gradient", lambda one: max(one.changes)),
        ("The loss is smoother (β) with norms", "effective β", lambda one: one.smoothness),
    )
    return tuple(
        claim_below(
            sentence,
            "Santurkar et al. 2018",
            f"log₂({what} with norms / without), over places of one training each",
            _log_ratio([(value(ours), value(theirs)) for ours, theirs in facts.compared]),
            form="+.2f",
        )
        for sentence, what, value in said
    )


def _log_ratio(pairs: Sequence[tuple[float, float]]) -> MeanInterval | None:
    values = [math.log2(ours / theirs) for ours, theirs in pairs if ours > 0 and theirs > 0]
    return mean_interval(values) if len(values) > 1 else None


def of_ranges(facts: RangeFacts) -> tuple[Claim, ...]:
    """How many factors train."""
    told: tuple[tuple[What, str], ...] = (
        ("scale", "With norms a network trains from more initial scales"),
        ("rate", "With norms a network trains at more, and larger, learning rates"),
    )
    found = []
    for what, sentence in told:
        ours, theirs = facts.trains(WITH, what), facts.trains(WITHOUT, what)
        more = len(ours) - len(theirs)
        finding = Finding.OPEN if abs(more) < CLEAR else Finding.SUPPORTED if more > 0 else Finding.CONTRADICTED
        measured = f"factors of {len(facts.of(WITH, what))} that train, with less without"
        found.append(Claim(sentence, SECTION, measured, finding, float(more), None, "+.0f"))
    return tuple(found)


def of_small_batches(facts: SmallBatchFacts) -> tuple[Claim, ...]:
    """The warehouse story."""
    sizes = sorted({one.size for one in facts.outcomes})
    small = sizes[0]
    found = [
        claim_above(
            f"With batches of {small} group norm does better than batch norm",
            f"{SECTION}, warehouse story",
            "accuracy, group less batch norm, same images",
            facts.differences.get(small),
            form="+.1%",
        )
    ]
    if len(sizes) > 1:
        found.append(
            claim_below(
                "Batch norm gets worse in small batches",
                SECTION,
                f"accuracy of batch norm, {small} less {sizes[-1]} images",
                facts.degradation,
                form="+.1%",
            )
        )
    return tuple(found)
